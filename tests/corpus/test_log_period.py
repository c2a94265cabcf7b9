"""A log without what came before or after: counted, and without the items that nobody knew then."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from interestrec.core.errors import DataError
from interestrec.corpus.log_period import keep_period
from interestrec.corpus.preprocess_settings import PreprocessSettings, SplitSettings
from interestrec.corpus.split import split
from interestrec.rawfiles.raw_log import RawLog
from tests.corpus.logs import coded, event_log, impression_log, rule


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def log() -> RawLog:
    return event_log(
        [("u", "a", 1), ("u", "b", 2), ("v", "a", 3), ("v", "c", 4), ("w", "b", 5)], ["a", "b", "c", "unsold"]
    )


def names(found: RawLog, table: str = "events", column: str = "item_id") -> list[str]:
    return [row[0] for row in found.sql(f"SELECT {column} FROM {table} ORDER BY ord")]


def test_a_row_at_the_end_is_left_out_and_one_at_the_beginning_stays() -> None:
    found = log()
    keep_period(found, at(2), at(4))
    assert names(found) == ["b", "a"]
    before, after = rule(found, "events before"), rule(found, "events at or after")
    assert (before["rows_in"], before["rows_out"]) == (5, 4)
    assert (after["rows_in"], after["rows_out"]) == (4, 2)


def test_an_item_first_seen_later_is_left_out_and_one_without_events_stays() -> None:
    found = log()
    keep_period(found, None, at(4))
    assert names(found, "items") == ["a", "b", "unsold"]
    assert rule(found, "items at or after")["rows_out"] == 3


def test_an_item_whose_events_are_all_before_the_period_stays() -> None:
    found = log()
    keep_period(found, at(4), None)
    assert names(found, "items") == ["a", "b", "c", "unsold"]


def test_an_item_published_later_is_left_out() -> None:
    found = log()
    found.db.execute("UPDATE items SET published = TIMESTAMP '1970-01-01 00:00:03' WHERE item_id IN ('b', 'unsold')")
    keep_period(found, None, at(3))
    assert names(found, "items") == ["a"]


def test_rows_of_events_describe_items_only_within_the_period() -> None:
    found = log()
    found.db.execute(
        "DELETE FROM items; INSERT INTO items SELECT item_id, 'title', '', NULL, NULL, NULL, ord, ord, NULL FROM events"
    )
    keep_period(found, None, at(3))
    assert names(found, "items") == ["a", "b"]


def test_impressions_go_with_their_clicks() -> None:
    found = impression_log([("1", "u", 1, "train", "a", "a-1 b-0"), ("2", "u", 2, "train", "", "a-0 b-1")], "ab")
    keep_period(found, None, at(2))
    assert names(found, "impressions", "impression_id") == ["1"]
    assert found.rows("clicks") == 1
    assert rule(found, "impressions at or after")["rows_out"] == 1


def test_without_a_period_nothing_is_counted_and_times_may_be_missing() -> None:
    found = event_log([("u", "a", None)])
    keep_period(found, None, None)
    assert found.rows("events") == 1
    assert not found.quality.rules
    with pytest.raises(DataError, match=r"e\.csv:1: no time .*since or preprocess.until"):
        keep_period(found, None, at(1))


def test_times_without_a_zone_are_utc_and_equal_times_are_equal_settings() -> None:
    texts = ("2026-11-14", "2026-11-14T00:00:00Z", "2026-11-14T02:00:00+02:00")
    dumped = {PreprocessSettings(until=text).model_dump_json() for text in texts}  # type: ignore[arg-type]
    assert len(dumped) == 1
    with pytest.raises(ValidationError, match="since must be earlier than until"):
        PreprocessSettings(since="2026-11-14", until="2026-11-14")  # type: ignore[arg-type]


def test_a_split_by_time_may_be_without_test_and_others_may_not() -> None:
    found = coded(event_log([("u" + str(n % 3), "a", n) for n in range(10)]))
    split(found, SplitSettings(test=0, valid=0.2), seed=1)
    assert [row[0] for row in found.sql("SELECT split FROM events ORDER BY ord")] == ["train"] * 8 + ["valid"] * 2
    for other in ({"method": "user_time"}, {"method": "global_time", "window": 2}):
        with pytest.raises(ValidationError, match="test: 0 belongs to method: global_time and window: 1"):
            SplitSettings(test=0, **other)
