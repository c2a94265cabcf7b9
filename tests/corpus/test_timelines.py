"""Positions and histories of timelines by hand, and tables cut anywhere."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interestrec.corpus.timelines import event_positions, group_requests, history_ends, user_order
from interestrec.io import schemas
from tests.examples import examples

USER = np.array([0, 0, 0, 0, 0, 2, 2, 3])
TRAIN = np.zeros(8, np.int32)
TIMED = np.zeros(8, bool)


def test_positions_count_within_the_user() -> None:
    found = event_positions(USER)
    assert found.tolist() == [0, 1, 2, 3, 4, 0, 1, 0]
    assert found.dtype == np.int32


def test_a_history_is_what_was_strictly_before() -> None:
    time = np.array([1, 5, 5, 5, 9, 9, 9, 9])
    assert history_ends(USER, time, TIMED, TRAIN, by_time=True).tolist() == [0, 1, 1, 1, 4, 0, 0, 0]


def test_ties_across_splits_are_no_history_by_time() -> None:
    time, split = np.array([1, 5, 5, 5, 9, 9, 9, 9]), np.array([0, 0, 1, 2, 2, 0, 2, 0])
    assert history_ends(USER, time, TIMED, split, by_time=True).tolist() == [0, 1, 1, 1, 4, 0, 0, 0]


def test_events_without_time_follow_by_row() -> None:
    time, untimed = np.array([1, 1, 0, 0, 0, 0, 0, 0]), np.array([0, 0, 1, 1, 1, 1, 1, 1], bool)
    assert history_ends(USER, time, untimed, TRAIN, by_time=True).tolist() == [0, 0, 2, 3, 4, 0, 1, 0]


def test_of_a_random_split_valid_has_all_of_train_and_test_all_of_both() -> None:
    user = np.array([0] * 7 + [1] * 3)
    split = np.array([0, 0, 0, 1, 1, 2, 2, 1, 2, 2])
    time = np.array([3, 3, 9, 1, 1, 2, 8, 5, 5, 6])  # by time within each split
    ends = history_ends(user, time, np.zeros(10, bool), split, by_time=False)
    assert ends.tolist() == [0, 0, 2, 3, 3, 5, 5, 0, 1, 1]


def test_of_nothing_there_is_nothing() -> None:
    none = np.zeros(0, np.int64)
    assert history_ends(none, none, none.astype(bool), none, by_time=True).tolist() == []
    assert list(user_order(iter([]))) == []


@examples(200)
@given(st.lists(st.integers(0, 4), max_size=20), st.lists(st.integers(0, 20), max_size=8))
def test_tables_cut_anywhere_become_tables_of_whole_users(users: list[int], cuts: list[int]) -> None:
    rows = sorted(users)
    table = pa.table({"user": pa.array(rows, pa.int32()), "row": pa.array(range(len(rows)), pa.int64())})
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    parts = (table.slice(start, end - start) for start, end in pairwise(edges))
    whole = list(user_order(parts))
    assert [row for part in whole for row in part["row"].to_pylist()] == list(range(len(rows)))
    found = [set(part["user"].to_pylist()) for part in whole]
    assert all(found)
    assert sum(map(len, found)) == len(set(rows))  # no user is in two


@pytest.mark.parametrize(
    ("split", "rows", "ends"), [(0, [0, 1, 2, 5], [0, 1, 1, 0]), (1, [3, 6], [3, 0]), (2, [4], [4])]
)
def test_requests_of_a_split(split: int, rows: list[int], ends: list[int]) -> None:
    seconds = pa.array([1_000_000, 2_000_000, 2_000_000, 4_000_000, 5_000_000, 7_000_000, 7_000_000], pa.int64())
    table = pa.table(
        {
            "user": pa.array([0] * 5 + [4] * 2, pa.int32()),
            "item": pa.array([3, 1, 4, 1, 5, 9, 2], pa.int32()),
            "time": seconds.cast(pa.timestamp("us", tz="UTC")),
            "intensity": pa.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7], pa.float32()),
            "split": pa.array(["train", "train", "train", "valid", "test", "train", "valid"]).dictionary_encode(),
        }
    )
    request, candidate = group_requests(table, split, 10, by_time=True)
    assert request.schema.equals(schemas.IMPRESSIONS)
    assert request["impression"].to_pylist() == [10 + n for n in range(len(rows))]
    assert request["impression_id"].to_pylist() == [str(11 + n) for n in range(len(rows))]
    assert request["history_start"].to_pylist() == [0] * len(rows)
    assert request["history_end"].to_pylist() == ends
    for name in ("user", "time"):
        assert request[name].equals(table[name].take(rows))
    assert set(request["split"].to_pylist()) == {schemas.SPLITS[split]}
    assert candidate["impression"].equals(request["impression"])
    assert candidate["item"].equals(table["item"].take(rows))
    assert candidate["label"].equals(table["intensity"].take(rows))
