"""Row groups of timelines: of complete users, and only those read that a question needs."""

from collections.abc import Iterator
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interestrec.corpus.build import build
from interestrec.corpus.log_merge import KnownLog
from interestrec.corpus.no_time import NO_TIME
from interestrec.corpus.store import Corpus
from interestrec.corpus.timeline_files import Timelines, latest_before, read_timelines, user_groups
from interestrec.io import files
from tests.corpus.logs import event_log, plan
from tests.examples import examples
from tests.scoring.corpora import DAY, Event, Impression, write_corpus

USERS = [0, 0, 0, 1, 1, 2, 2, 2, 2, 5, 5]
DAYS = [0, 1, 2, 3, None, 1, 2, 3, 8, 9, 10]
GROUPS = [(0, 1), (2, 2), (5, 5)]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Timelines in three row groups, of the users 0 and 1, of 2, and of 5."""
    monkeypatch.setattr(files, "ROW_GROUP", 5)
    events = [Event(user, n % 5, day) for n, (user, day) in enumerate(zip(USERS, DAYS, strict=True))]
    corpus = write_corpus(tmp_path / "corpus", 7, 5, events, [Impression(0, "train", (0, 0), [(1, 1.0)])])
    KnownLog.read(corpus).write(corpus)
    return corpus / "timelines.parquet"


@pytest.fixture
def groups_read(monkeypatch: pytest.MonkeyPatch) -> list[list[int] | None]:
    """The row groups that each pass over a file asks for; None: all."""
    asked: list[list[int] | None] = []
    stream = files.stream_parquet

    def streamed(*arguments: Any, row_groups: list[int] | None = None) -> Iterator[pa.Table]:
        asked.append(row_groups)
        return stream(*arguments, row_groups=row_groups)

    monkeypatch.setattr(files, "stream_parquet", streamed)
    return asked


def assert_rows(found: Timelines, whole: Timelines, users: list[int]) -> None:
    """`found` has the rows of these users, as they are in `whole`, and no others."""
    assert np.diff(found.offsets).tolist() == [
        n if user in users else 0 for user, n in enumerate(np.diff(whole.offsets))
    ]
    rows = np.isin(whole.user, users)
    for name in ("user", "item", "time", "intensity", "split"):
        array, wanted = getattr(found, name), getattr(whole, name)[rows]
        assert array.dtype == wanted.dtype
        np.testing.assert_array_equal(array, wanted, err_msg=name)


@examples(200)
@given(st.lists(st.integers(1, 9), max_size=8), st.lists(st.integers(0, 40), max_size=6), st.integers(1, 7))
def test_groups_are_of_whole_users_and_as_large_as_may_be(counts: list[int], cuts: list[int], most: int) -> None:
    user = np.repeat(np.arange(len(counts)) * 2, counts).astype(np.int32)
    table = pa.table({"user": user, "row": np.arange(len(user))})
    edges = [0, *sorted(min(cut, len(user)) for cut in cuts), len(user)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "ROW_GROUP", most)
        groups = list(user_groups(table.slice(start, end - start) for start, end in pairwise(edges)))
    assert [row for group in groups for row in group["row"].to_pylist()] == list(range(len(user)))
    owners = [[(key, len(list(rows))) for key, rows in groupby(group["user"].to_pylist())] for group in groups]
    assert sum(map(len, owners)) == len(counts)  # no user is in two
    for users in owners:
        assert len(users) == 1 or sum(rows for _, rows in users) <= most
    for users, following in pairwise(owners):
        assert sum(rows for _, rows in users) + following[0][1] > most  # otherwise it would have had that user as well
    assert all(group["user"].num_chunks == 1 for group in groups)


@pytest.mark.parametrize(
    ("users", "groups"), [([5], [2]), ([1], [0]), ([5, 0], [0, 2]), ([2, 1, 2], [0, 1]), ([3], []), ([], []), ([6], [])]
)
def test_only_the_row_groups_of_the_users_are_read(
    path: Path, groups_read: list[list[int] | None], users: list[int], groups: list[int]
) -> None:
    assert files.row_group_bounds(path, "user") == GROUPS
    found = read_timelines(path, 7, np.array(users, np.int64))
    assert groups_read == [groups]
    assert_rows(found, read_timelines(path, 7), users)


def test_without_statistics_all_is_read(path: Path, groups_read: list[list[int] | None]) -> None:
    table = files.read_parquet(path)
    pq.write_table(table, path, row_group_size=5, write_statistics=False)
    assert files.row_group_bounds(path, "user") == [None] * 3
    assert_rows(read_timelines(path, 7, np.array([5])), read_timelines(path, 7), [5])
    assert latest_before(path, 3 * DAY) == 2 * DAY
    assert groups_read == [[0, 1, 2], None, [0, 1, 2]]


@pytest.mark.parametrize(
    ("day", "latest", "groups"),
    [(11, 10, []), (10, 9, [2]), (9, 8, []), (8.5, 8, []), (8, 3, [1]), (3, 2, [0, 1]), (1, 0, [0]), (0, None, [])],
)
def test_the_last_event_before_a_time(
    path: Path, groups_read: list[list[int] | None], day: float, latest: int | None, groups: list[int]
) -> None:
    assert latest_before(path, round(day * DAY)) == (NO_TIME if latest is None else latest * DAY)
    assert groups_read == [groups]


def test_no_event_has_a_time(tmp_path: Path) -> None:
    events = [Event(0, 1, None), Event(1, 1, None)]
    corpus = write_corpus(tmp_path, 2, 2, events, [Impression(0, "train", (0, 0), [(1, 1.0)])])
    assert latest_before(corpus / "timelines.parquet", 5) == NO_TIME


def test_a_corpus_that_has_read_all_reads_no_part(path: Path, groups_read: list[list[int] | None]) -> None:
    corpus = Corpus(path.parent, None)
    assert_rows(corpus.timelines_of(np.array([2])), corpus.timelines, [2])
    assert corpus.timelines_of(np.array([5])) is corpus.timelines
    assert groups_read == [[1], None]


def test_a_corpus_is_built_with_row_groups_of_whole_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "ROW_GROUP", 25)
    log, chosen = event_log([("tuvwxyz"[n % 7], "abcdefg"[n * n % 7], n) for n in range(70)]), plan()
    build(log, chosen.data, chosen.preprocess, 1, tmp_path)  # ten events per user
    assert files.row_group_bounds(tmp_path / "timelines.parquet", "user") == [(0, 1), (2, 3), (4, 5), (6, 6)]
