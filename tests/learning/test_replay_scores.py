"""Metrics of answered lists by hand."""

from pathlib import Path

import numpy as np
import pytest

from interestrec.evaluation.list_metrics import ListTruth
from interestrec.io.report_schemas import REPLAY_SCORES
from interestrec.learning.replay_scores import read_scores, score_lists, write_scores

TRUTH = ListTruth(np.array([0, 2, 2, 3]), np.array([0, 2, 1]), np.ones(3), np.ones(3, bool))
ROWS = {"a": 0, "b": 1, "c": 2}


def test_values_by_hand() -> None:
    table = score_lists(np.array([0, 2]), [["b", "a", "elsewhere", "c"], []], ROWS, TRUTH)
    assert table.schema.equals(REPLAY_SCORES)
    # User 0 wants a and c, which are second and fourth; user 2 wants b and got no list.
    ideal = 1 + 1 / np.log2(3)
    assert table["ndcg@10"].to_pylist() == pytest.approx([(1 / np.log2(3) + 1 / np.log2(5)) / ideal, 0])
    assert table["recall@10"].to_pylist() == [1, 0]
    assert table["hit@10"].to_pylist() == [1, 0]
    assert table["user"].to_pylist() == [0, 2]


def test_order_of_the_list_counts_although_nobody_tells_scores() -> None:
    first, last = (
        score_lists(np.array([2]), [names], ROWS, TRUTH)["ndcg@10"][0].as_py() for names in (["b", "a"], ["a", "b"])
    )
    assert first == 1 > last


def test_items_beyond_the_tenth_do_not_count() -> None:
    names = [f"other-{n}" for n in range(10)]
    assert score_lists(np.array([2]), [[*names, "b"]], ROWS, TRUTH)["hit@10"].to_pylist() == [0]
    assert score_lists(np.array([2]), [[*names[:9], "b"]], ROWS, TRUTH)["hit@10"].to_pylist() == [1]


def test_a_file_is_whole(tmp_path: Path) -> None:
    table = score_lists(np.array([2]), [["b"]], ROWS, TRUTH)
    write_scores(tmp_path / "w.parquet", table)
    assert read_scores(tmp_path / "w.parquet").equals(table)
    assert [path.name for path in tmp_path.iterdir()] == ["w.parquet"]
