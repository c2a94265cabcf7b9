"""What the page shows beside figures."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from interestrec.corpus.store import Corpus
from interestrec.evaluation.population import PastEvents
from interestrec.evaluation.ranking_blocks import IdNumbers
from interestrec.io import files, schemas
from interestrec.report.page_data import examples, permuted_auc, recall_by_rank, reliability, training_curves
from tests.scoring.corpora import Event, write_event_log


def lists(path: Path, rows: list[tuple[str, str, str, int]]) -> Path:
    columns = dict(zip(("system", "user_id", "item_id", "rank"), map(list, zip(*rows, strict=True)), strict=True))
    table = pa.table({**columns, "score": [1.0 / row[3] for row in rows], "predicted": [0.5] * len(rows)})
    files.write_parquet(path, table, schemas.RANKED_CATALOGUE)
    return path


def truth(pairs: list[tuple[str, str]]) -> pa.Table:
    users, items = map(list, zip(*pairs, strict=True))
    return pa.table({"user_id": users, "item_id": items, "label": [1.0] * len(pairs), "relevant": [True] * len(pairs)})


def shown(path: Path, rows: list[tuple[str, str, float, float, float]]) -> Path:
    names = ("system", "impression_id", "label", "score", "predicted")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    table = pa.table(
        {
            **columns,
            "user_id": ["u0"] * len(rows),
            "item_id": [f"i{n}" for n in range(len(rows))],
            "relevant": [row[2] > 0 for row in rows],
            "rank": [1] * len(rows),
        }
    )
    files.write_parquet(path, table, schemas.RANKED_IMPRESSIONS)
    return path


def test_relevant_items_are_found_up_to_each_rank(tmp_path: Path) -> None:
    rows = [("interestrec", "u0", "i1", 1), ("interestrec", "u0", "i2", 2), ("interestrec", "u1", "i1", 1)]
    path = lists(tmp_path / "c.parquet", [*rows, ("als", "u0", "i9", 1)])
    found = recall_by_rank(path, truth([("u0", "i2"), ("u1", "i1"), ("u1", "i7")]), ["interestrec", "als"], 3)
    assert found["interestrec"].tolist() == pytest.approx([1 / 3, 2 / 3, 2 / 3])
    assert found["als"].tolist() == [0, 0, 0]


def test_reliability_is_of_ours_and_of_known_labels(tmp_path: Path) -> None:
    rows = [("interestrec", "m", 1.0, 0.0, 0.75), ("interestrec", "m", 0.0, 0.0, 0.25), ("als", "m", 1.0, 0.0, 0.9)]
    found = reliability(shown(tmp_path / "i.parquet", [*rows, ("interestrec", "m", float("nan"), 0.0, 0.9)]))
    assert found is not None
    assert found.predicted.tolist() == [0.25, 0.75]
    assert found.label.tolist() == [0, 1]
    assert found.rows.tolist() == [1, 1]


def test_a_scorer_that_sees_the_labels_is_at_chance_once_they_are_permuted(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    rows = []
    for impression in range(400):
        liked = rng.random(6) < 0.4
        rows += [("interestrec", f"m{impression}", float(one), float(one), 0.5) for one in liked]
    path = shown(tmp_path / "i.parquet", rows)
    ids = IdNumbers(pa.array(["u0"]), pa.array([f"i{n}" for n in range(len(rows))]))
    values = permuted_auc(path, ids, seed=1)
    assert len(values) == 400
    assert np.nanmean(values) == pytest.approx(0.5, abs=0.05)


def test_examples_tell_history_list_and_hits(tmp_path: Path) -> None:
    log = [Event(0, item, day) for day, item in enumerate((0, 1, 2))] + [Event(0, 3, 9, "test"), Event(1, 4, 9, "test")]
    corpus = Corpus(write_event_log(tmp_path / "corpus", 2, 6, log), None)
    rows = [("interestrec", "u0", "i3", 1), ("interestrec", "u0", "i5", 2), ("interestrec", "u1", "i4", 1)]
    path = lists(tmp_path / "c.parquet", rows)
    past = PastEvents(np.array([0, 3, 3]), np.array([0, 1, 2]))  # u1 has no history
    ids = IdNumbers(pa.array(["u0", "u1"]), pa.array([f"i{n}" for n in range(6)]))
    (found,) = examples(corpus, path, truth([("u0", "i3"), ("u1", "i4")]), [], past, ids, seed=0)
    assert (found["user_id"], found["events"], found["relevant"]) == ("u0", 3, 1)
    assert [item["title"] for item in found["history"]] == ["i2", "i1", "i0"]  # the latest first
    assert [(item["title"], item["hit"]) for item in found["list"]] == [("i3", True), ("i5", False)]


def test_losses_are_drawn_as_means_of_stretches_and_validation_as_it_is() -> None:
    steps = list(range(1, 201))
    log = pa.table(
        {
            "step": [*steps, 100, 200, 100, 200, 200],
            "epoch": [1] * 205,
            "name": ["loss"] * 200 + ["valid_auc"] * 2 + ["valid_ndcg"] * 2 + ["encoded_share"],
            "value": [float(step) for step in steps] + [0.6, 0.7, 0.05, 0.04, 0.5],
        }
    )
    curves = training_curves(log)
    assert curves["valid_auc"][1].tolist() == [0.6, 0.7]
    assert curves["valid_ndcg"][0].tolist() == [100, 200]
    assert curves["valid_ndcg"][1].tolist() == [0.05, 0.04]
    assert list(curves) == ["valid_auc", "valid_ndcg", "loss"]
    step, loss = curves["loss"]
    assert len(step) == 100
    assert loss[:2].tolist() == [1.5, 3.5]
