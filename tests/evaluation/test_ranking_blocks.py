"""Ranking tables read in blocks: whole lists, whatever the row groups."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interestrec.core.errors import ArtifactError, InputMissingError
from interestrec.evaluation import ranking_blocks
from interestrec.evaluation.ranking_blocks import IdNumbers, RankingBlock, blocks
from tests.examples import examples

IDS = IdNumbers(pa.array([f"u{n}" for n in range(9)]), pa.array([f"i{n}" for n in range(30)]))


def write(path: Path, rows: list[tuple[str, str, str, str, float]], group: int) -> Path:
    names = ("system", "impression_id", "user_id", "item_id", "score")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    table = pa.table({**columns, "label": [None if row[4] > 0.9 else row[4] for row in rows]})
    pq.write_table(table, path, row_group_size=group, write_page_checksum=True)
    return path


def read(path: Path) -> list[RankingBlock]:
    return list(blocks(path, ["impression_id", "user_id"], ["score", "label"], IDS))


@examples(60)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 40))
def test_lists_come_out_whole_and_in_order_wherever_row_groups_end(
    tmp_path_factory: pytest.TempPathFactory, seed: int, group: int, gathered: int
) -> None:
    rng = np.random.default_rng(seed)
    expected = [
        (system, f"m{rng.integers(3)}-{number}", int(rng.integers(9)), rng.integers(30, size=rng.integers(1, 9)))
        for system in ("b", "a")
        for number in range(rng.integers(1, 8))
    ]
    rows = [(s, m, f"u{u}", f"i{i}", float(rng.random())) for s, m, u, items in expected for i in items]
    path = write(tmp_path_factory.mktemp("rankings") / "x.parquet", rows, group)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking_blocks, "_ROWS", gathered)
        found = read(path)
    lists = [
        (block.system, int(user), block.item[start:stop])
        for block in found
        for user, start, stop in zip(block.user, block.offsets[:-1], block.offsets[1:], strict=True)
    ]
    assert [(s, u) for s, u, _ in lists] == [(s, u) for s, _, u, _ in expected]
    for (*_, items), (*_, wanted) in zip(lists, expected, strict=True):
        np.testing.assert_array_equal(items, wanted)
    scores = np.concatenate([block.numbers["score"] for block in found])
    labels = np.concatenate([block.numbers["label"] for block in found])
    np.testing.assert_array_equal(scores, [row[4] for row in rows])
    np.testing.assert_array_equal(np.isnan(labels), scores > 0.9)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a", "m", "u9", "i1", 0.0)], "the id 'u9' is not in the corpus"),
        ([("a", "m", "u1", "i1", 0.0), ("a", "m", "u1", "x", 0.0)], "the id 'x' is not in the corpus"),
        ([("a", "m", "u1", "i1", 0.0), ("b", "m", "u1", "i1", 0.0), ("a", "m", "u1", "i1", 0.0)], "not contiguous"),
    ],
)
def test_what_rank_would_never_write_is_refused(tmp_path: Path, rows: list, message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        read(write(tmp_path / "x.parquet", rows, 10))


def test_a_missing_a_short_and_a_damaged_file(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError):
        read(tmp_path / "x.parquet")
    path = write(tmp_path / "x.parquet", [("a", "m", "u1", "i1", float(n)) for n in range(50)], 50)
    with pytest.raises(ArtifactError, match="lacks column"):
        list(blocks(path, ["user_id"], ["intensity"], IDS))
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="run the stage that wrote it again"):
        read(path)
