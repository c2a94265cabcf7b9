"""Cleaning rules and intensities, each by hand."""

import pytest

from interestrec.core.errors import ConfigError, DataError
from interestrec.corpus import clean
from tests.corpus.logs import event_log, impression_log, rule


def intensities(log) -> list[float]:
    return [round(row[0], 6) for row in log.sql("SELECT intensity FROM events ORDER BY ord")]


def test_only_events_equal_in_everything_are_repeated() -> None:
    log = event_log(
        [
            ("u", "a", 1, "view", 2.0),
            ("u", "a", 1, "view", 2.0),
            ("u", "a", 1, "view", 3.0),
            ("u", "a", 2, "view", 2.0),
            ("u", "a", 1, "like", 2.0),
            ("u", "b", 1, "view", 2.0),
            ("v", "a", 1, "view", 2.0),
            ("v", "a", None),
            ("v", "a", None),
        ]
    )
    clean.drop_repeated_events(log)
    assert [row[0] for row in log.sql("SELECT row FROM events ORDER BY ord")] == [1, 3, 4, 5, 6, 7, 8]
    assert (rule(log, "repeated events")["rows_in"], rule(log, "repeated events")["rows_out"]) == (9, 7)


def test_unresolved_events_and_repeated_items() -> None:
    log = event_log([("u", "a", 1), ("u", "x", 2)], items="aba")
    clean.resolve(log)
    assert log.sql("SELECT item_id FROM events") == [("a",)]
    assert rule(log, "unresolved events")["examples"] == ["u x"]
    assert log.sql("SELECT item_id, ord FROM items ORDER BY ord") == [("a", 1), ("b", 2)]
    assert rule(log, "repeated items")["examples"] == ["a"]


def test_unresolved_ids_leave_histories_and_candidates() -> None:
    log = impression_log(
        [
            ("1", "u", 1, "train", "x b a x", "y-0 a-1 x-1 b-0"),
            ("2", "u", 2, "train", "", "x-1 y-0"),
            ("3", "v", 3, "test", "x", "a-1 b-1"),
        ],
        items="ab",
    )
    clean.resolve(log)
    assert log.sql("SELECT impression_id, history, shown, labels FROM impressions ORDER BY ord") == [
        ("1", ["b", "a"], ["a", "b"], [1, 0]),
        ("3", [], ["a", "b"], [1, 1]),
    ]
    history, shown = rule(log, "unresolved history entries"), rule(log, "unresolved candidates")
    assert (history["rows_in"], history["rows_out"], history["examples"]) == (5, 2, ["x (3)"])
    assert (shown["rows_in"], shown["rows_out"], shown["examples"]) == (8, 4, ["x (2)", "y (2)"])
    assert rule(log, "impressions without candidates")["examples"] == ["b.tsv:2"]
    assert rule(log, "one-class impressions")["reason"].endswith(": 1")


def test_intensity_is_weight_times_mapped_value() -> None:
    log = event_log([("u", "a", 1, "rate", 1.0), ("u", "b", 1, "rate", 4.0), ("u", "c", 1, "watch", 5.0)])
    clean.grade(log, {"rate": 1.0, "watch": 0.5}, (1.0, 5.0), 0)
    assert intensities(log) == [0.0, 0.75, 0.5]


def test_without_weights_and_values_all_are_one() -> None:
    log = event_log([("u", "a", 1), ("u", "b", 2, "buy")])
    clean.grade(log, {}, None, 0)
    assert intensities(log) == [1.0, 1.0]


def test_an_event_type_without_weight_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"event type 'like' of the log has no weight.*given for: view, liked"):
        clean.grade(event_log([("u", "a", 1, "view"), ("u", "b", 1, "like")]), {"view": 0.1, "liked": 1.0}, None, 0)


@pytest.mark.parametrize(("value", "shown"), [(5.5, "5.5"), (0.5, "0.5"), (None, "nothing")])
def test_values_out_of_range_are_bad_rows(value: float | None, shown: str) -> None:
    def log():
        return event_log([("u", "a", 1, "rate", 3.0), ("u", "b", 1, "rate", value)])

    with pytest.raises(DataError, match=rf"e\.csv:2: the value is {shown}, .*maps 1 to 5; 1 such row") as error:
        clean.grade(log(), {}, (1.0, 5.0), 0)
    assert error.value.exit_status == 65
    tolerant = log()
    clean.grade(tolerant, {}, (1.0, 5.0), 1)
    assert intensities(tolerant) == [0.5]
    assert rule(tolerant, "values out of range")["examples"] == [f"e.csv:2: {shown}"]


def test_bounds_of_the_map_are_in_range() -> None:
    log = event_log([("u", "a", 1, "rate", 1.0), ("u", "b", 1, "rate", 5.0)])
    clean.grade(log, {}, (1.0, 5.0), 0)
    assert intensities(log) == [0.0, 1.0]
