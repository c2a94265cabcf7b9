"""Splits by hand, and what must hold for any log."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from interestrec.core.errors import ConfigError, DataError
from interestrec.corpus.preprocess_settings import SplitSettings
from interestrec.corpus.split import SPLIT_METHODS, split
from interestrec.rawfiles.raw_log import RawLog
from tests.corpus.logs import coded, event_log, impression_log, rows_of, rule
from tests.examples import examples

FIRST = {"train": "T", "valid": "V", "test": "E"}


def splits(log: RawLog, table: str = "events") -> str:
    return "".join(FIRST[row[0]] for row in log.sql(f"SELECT split FROM {table} ORDER BY ord"))


def run(
    log: RawLog, method: str, valid: float = 0.1, test: float = 0.2, since: str | None = None, seed: int = 1
) -> str:
    verified = Path("elsewhere") if method == "none" else None
    chosen = SplitSettings(method=method, valid=valid, test=test, valid_from=since, verified=verified)
    split(coded(log), chosen, seed)
    return splits(log)


def test_global_time_takes_the_last_events_of_all() -> None:
    order = np.random.default_rng(0).permutation(10)
    log = event_log([("u" + str(n % 3), "a", int(n)) for n in order])
    found = run(log, "global_time")
    assert [found[list(order).index(n)] for n in range(10)] == list("TTTTTTTVEE")


def test_equal_times_stay_together() -> None:
    log = event_log([("u", "a", t) for t in [1, 2, 3, 4, 5, 6, 6, 6, 9, 9]])
    assert run(log, "global_time") == "TTTTTVVVEE"


def test_user_time_takes_the_last_of_each_user_ties_by_row() -> None:
    rows = [("u", "a", 5)] * 5 + [("u", "b", t) for t in (4, 3, 2, 1, 0)] + [("v", "a", 1)]
    log = event_log([(u, f"{i}{n}", t) for n, (u, i, t) in enumerate(rows)])
    # u: rows of times 0 … 4 come first, then the five of time 5 by row; the only event of v stays in train.
    assert run(log, "user_time") == "TTVEE" + "TTTTT" + "T"
    assert rule(log, "users too short to split")["reason"] == (
        "1 of 2 users have fewer than 2 events, which stay in train"
    )


def histories(lengths: Sequence[int], user: str = "u{}") -> list[tuple]:
    """One user per length, in the order of times within each user."""
    return [(user.format(n), f"i{place}", 100 * n + place) for n, size in enumerate(lengths) for place in range(size)]


def by_user(log: RawLog) -> dict[str, str]:
    """The splits of each user's events in the order of times."""
    rows = log.sql(
        "SELECT user_id, string_agg(CASE split WHEN 'test' THEN 'E' WHEN 'valid' THEN 'V' ELSE 'T' END, '' "
        'ORDER BY time, ord) FROM events JOIN user_codes USING ("user") GROUP BY user_id'
    )
    return dict(rows)


@pytest.mark.parametrize("method", ["user_time", "user_random"])
@pytest.mark.parametrize(("valid", "test"), [(0.1, 0.2), (0.3, 0.4)])
def test_shares_hold_on_average_for_every_length_of_history(method: str, valid: float, test: float) -> None:
    users = 1_000
    for length in (2, 3, 5, 7, 10):
        log = event_log(histories([length] * users))
        run(log, method, valid, test)
        found = list(by_user(log).values())
        # n - 1 of n events is the most that can be held out; valid and test share what is too much.
        fit = min(1, (length - 1) / (length * (valid + test)))
        for letter, share in {"V": valid * fit, "E": test * fit}.items():
            counts = np.array([splits.count(letter) for splits in found])
            assert counts.min() >= np.floor(length * share - 1e-9) - (letter == "V")
            assert counts.max() <= np.ceil(length * share + 1e-9)
            # Five standard errors: a count has a deviation of at most one half.
            assert abs(counts.mean() - length * share) <= 5 * 0.5 / np.sqrt(users), (length, letter)
        assert all("T" in splits for splits in found)
        if method == "user_time":
            assert all(splits == "".join(sorted(splits, key="TVE".index)) for splits in found)


def test_users_with_three_and_with_twenty_events_give_a_fifth_each() -> None:
    """The input of a report: 1,000 users with 3 events and 50 with 20 gave 200 test rows of 4,000, from 50 users."""
    found = run(event_log(histories([3] * 1_000 + [20] * 50)), "user_time")
    assert abs(found.count("E") - 800) < 80
    assert abs(found.count("V") - 400) < 80
    assert found[3_000:].count("E") == 200


@pytest.mark.parametrize("method", ["user_time", "user_random"])
def test_the_rounding_follows_the_seed_and_the_id_alone(method: str) -> None:
    events = histories([3] * 40)
    outcomes = []
    for rows, seed in ((events, 1), (events[::-1] + [("another", "i0", 5)] * 3, 1), (events, 2)):
        log = event_log(rows)
        run(log, method, seed=seed)
        outcomes.append({user: splits for user, splits in by_user(log).items() if user != "another"})
    assert outcomes[0] == outcomes[1] != outcomes[2]


@examples(20)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(1, 3))
def test_leave_last_takes_k_events_of_each_user(lengths: list[int], k: int) -> None:
    log = event_log(histories([*lengths, 9]))  # the last user is long enough for every k
    split(coded(log), SplitSettings(method="leave_last", k=k), 1)
    expected = {
        f"u{n}": "T" * (size - 2 * k) + "V" * k + "E" * k if size > 2 * k else "T" * size
        for n, size in enumerate([*lengths, 9])
    }
    assert by_user(log) == expected
    short = sum(size <= 2 * k for size in lengths)
    assert rule(log, "users too short to split")["reason"].startswith(f"{short} of {len(lengths) + 1} users")


def test_leave_last_of_impressions() -> None:
    rows = [(str(n), "u" if n < 4 else "v", 86400 * n, "train", "", "a-1 b-0") for n in range(6)]
    log = impression_log(rows, "ab")
    assert run(log, "leave_last") == "TTVETT" == splits(log, "impressions")


def test_user_random_needs_no_times_and_heeds_the_seed() -> None:
    events = [(u, f"i{n}", None) for u in "uv" for n in range(20)]
    one, again, other = (run(event_log(events), "user_random", seed=seed) for seed in (1, 1, 2))
    assert one == again != other
    for found in (one[:20], one[20:]):
        assert (found.count("T"), found.count("V"), found.count("E")) == (14, 2, 4)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.permutations(range(20)), st.sampled_from(["global_time", "user_time", "user_random", "leave_last"]))
def test_the_order_of_rows_decides_nothing(order: list[int], method: str) -> None:
    events = [("uv"[n % 2], f"i{n}", 100 + n) for n in range(20)]
    found = run(event_log([events[n] for n in order]), method)
    assert "".join(found[order.index(n)] for n in range(20)) == run(event_log(events), method)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=12, max_size=40))
def test_no_train_event_is_as_late_as_a_test_event(times: list[int]) -> None:
    log = event_log([("u", f"i{n}", t) for n, t in enumerate(times)])
    try:
        found = run(log, "global_time")
    except DataError as error:  # so many equal times that a split is empty
        assert "split is empty" in str(error)
        return
    latest = {name: [t for t, s in zip(times, found, strict=True) if s == name] for name in "TVE"}
    assert max(latest["T"]) < min(latest["V"]) <= max(latest["V"]) < min(latest["E"])


IMPRESSIONS = [(str(n), f"u{n}", 86400 * n, "train", "", "a-1 b-0") for n in range(10)]
TEST = ("t", "u", None, "test", "", "a-1 b-0")


def test_given_with_valid_files() -> None:
    log = impression_log([IMPRESSIONS[0], ("v", "u", None, "valid", "", "a-1"), TEST], "ab")
    assert run(log, "given") == "TVE" == splits(log, "impressions")


def test_given_with_valid_from() -> None:
    log = impression_log([*IMPRESSIONS, TEST], "ab")
    assert run(log, "given", since="1970-01-09") == "TTTTTTTTVVE" == splits(log, "impressions")


def test_given_alone_takes_the_last_tenth_of_train() -> None:
    log = impression_log([*IMPRESSIONS[::-1], TEST], "ab")
    assert run(log, "given") == "VTTTTTTTTTE"


def test_impressions_of_one_file_are_split_by_time_and_clicks_go_with_them() -> None:
    log = impression_log([(*row[:5], "a-1 b-1") for row in IMPRESSIONS[::-1]], "ab")
    assert run(log, "global_time") == "EEEEVVTTTTTTTTTTTTTT"
    assert splits(log, "impressions") == "EEVTTTTTTT"


@pytest.mark.slow
def test_given_without_times_draws_a_tenth_by_seed() -> None:
    untimed = [(name, user, None, *rest) for name, user, _, *rest in IMPRESSIONS * 10]
    untimed = [(f"{n}", *row[1:]) for n, row in enumerate(untimed)]
    one, other = (run(impression_log(untimed, "ab"), "given", seed=seed) for seed in (1, 2))
    assert one.count("V") == other.count("V") == 10
    assert one != other
    shuffled = list(np.random.default_rng(0).permutation(100))
    found = run(impression_log([untimed[n] for n in shuffled], "ab"), "given", seed=1)
    assert "".join(found[shuffled.index(n)] for n in range(100)) == one


def test_none_takes_all_as_train_whatever_the_files_say() -> None:
    assert run(event_log([("u", "a", 1), ("u", "b", None)]), "none") == "TT"
    log = impression_log([IMPRESSIONS[0], ("v", "u", None, "valid", "", "a-1"), TEST], "ab")
    assert run(log, "none") == "TTT" == splits(log, "impressions")


def test_faults() -> None:
    timed = [("u", f"i{n}", n) for n in range(10)]
    for method in ("global_time", "user_time", "leave_last"):
        with pytest.raises(DataError, match=rf"e\.csv:11: no time \(1 such row.*is {method}; use user_random"):
            run(event_log([*timed, ("u", "a", None)]), method)
    with pytest.raises(DataError, match="the valid split is empty"):
        run(event_log(timed[:2]), "user_time")
    with pytest.raises(DataError, match="no files per split"):
        run(event_log(timed), "given")
    with pytest.raises(ConfigError, match="method is global_time, but data names files per split; use given") as error:
        run(impression_log([*IMPRESSIONS, TEST], "ab"), "global_time")
    assert error.value.exit_status == 78
    with pytest.raises(DataError, match="valid_from 'later' is not a time"):
        run(impression_log(IMPRESSIONS, "ab"), "given", since="later")
    with pytest.raises(DataError, match="the valid split is empty"):
        run(impression_log(IMPRESSIONS, "ab"), "given", since="2026-01-01")


@pytest.mark.parametrize("method", SPLIT_METHODS)
def test_every_method_is_a_choice_and_documented(method: str) -> None:
    verified = Path("elsewhere") if method == "none" else None
    assert SplitSettings(method=method, verified=verified).method == method
    table = (Path(__file__).parents[2] / "docs" / "your-data.md").read_text()
    assert f"| `{method}` " in table, f"describe {method} in the table of splits of docs/your-data.md"


def test_a_method_that_is_not_registered_is_refused_with_the_choices() -> None:
    with pytest.raises(ValidationError, match="'user_random', 'leave_last' or 'none'"):
        SplitSettings(method="by_time")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"k": 2, "method": "user_time"}, "k belongs to method: leave_last, not to user_time"),
        ({"method": "leave_last", "test": 0.3}, "test is a share, and method: leave_last takes k events"),
        ({"method": "leave_last", "k": 0}, "greater than or equal to 1"),
    ],
)
def test_keys_that_do_not_fit_the_method_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SplitSettings(**keys)


def windowed(rows: Sequence[tuple], window: int, **keys: Any) -> dict[str, list[str]]:
    """The items of the rows of each split, in the order of rows."""
    log = coded(event_log(rows))
    split(log, SplitSettings(window=window, **keys), 1)
    found: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for name, item in rows_of(log, "split, item_id"):
        found[name].append(item)
    return found


def test_a_window_ends_where_the_test_of_the_next_one_begins() -> None:
    rows = [("uv"[n % 2], f"i{n:02}", n) for n in range(20)]
    halves = {"method": "global_time", "valid": 0.25, "test": 0.25}
    # 20 rows: test is i15 to i19. 15 rows are left: test starts at floor(15 × 0.75) = 11, valid at floor(15 × 0.5) = 7.
    assert windowed(rows, 2, **halves) == {
        "train": [f"i{n:02}" for n in range(7)],
        "valid": [f"i{n:02}" for n in range(7, 11)],
        "test": [f"i{n:02}" for n in range(11, 15)],
    }
    assert windowed(rows, 3, **halves)["test"] == ["i08", "i09", "i10"]
    last = windowed([("u", f"{letter}{n}", n) for n in range(5) for letter in "a"], 2, method="leave_last")
    assert last == {"train": ["a0", "a1"], "valid": ["a2"], "test": ["a3"]}


@pytest.mark.parametrize("method", [name for name, method in SPLIT_METHODS.items() if method.has_windows])
def test_windows_are_the_splits_of_logs_that_end_earlier_and_share_no_test_row(method: str) -> None:
    rng = np.random.default_rng(3)
    rows = [(f"u{rng.integers(6)}", f"i{n}", int(rng.integers(90))) for n in range(120)]
    windows = [windowed(rows, n, method=method) for n in (1, 2, 3, 4)]
    tested = [item for window in windows for item in window["test"]]
    assert len(set(tested)) == len(tested)
    for later, window in pairwise(windows):
        kept = [row for row in rows if row[1] in {*later["train"], *later["valid"]}]
        assert windowed(kept, 1, method=method) == window


def test_the_rows_after_a_window_are_counted_and_short_users_once() -> None:
    log = coded(event_log([("uv"[n % 2], f"i{n}", n) for n in range(40)] + [("w", "x", 0)]))
    split(log, SplitSettings(method="user_time", window=3), 1)
    left_out = rule(log, "events after the window")
    assert (left_out["rows_in"], left_out["rows_out"]) == (41, log.rows("events"))
    assert [found["rule"] for found in log.quality.rules].count("users too short to split") == 1


@pytest.mark.parametrize("method", [name for name, method in SPLIT_METHODS.items() if not method.has_windows])
def test_a_method_without_windows_refuses_an_earlier_one(method: str) -> None:
    verified = Path("elsewhere") if method == "none" else None
    with pytest.raises(
        ValidationError, match=f"method: {method} has no earlier windows; use global_time, user_time or"
    ):
        SplitSettings(method=method, window=2, verified=verified)


@pytest.mark.parametrize("method", SPLIT_METHODS)
def test_every_row_gets_one_split(method: str) -> None:
    log = impression_log(
        [(*row[:3], ("train", "valid", "test")[n % 3], *row[4:]) for n, row in enumerate(IMPRESSIONS)], "ab"
    )
    if not SPLIT_METHODS[method].by_files:
        log = event_log([("uv"[n % 2], f"i{n}", 100 + n) for n in range(20)])
    before = coded(log).rows("events")
    chosen = SplitSettings(method=method, verified=Path("elsewhere") if method == "none" else None)
    split(log, chosen, seed=1)
    assert log.number("SELECT count(split) FROM events") == log.rows("events") == before
