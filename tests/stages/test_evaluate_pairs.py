"""Pairs that were seen before and new ones in a report, recomputed from the stored rows."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from interestrec.evaluation import metric_sums, pair_parts
from interestrec.stages import evaluate, rank
from tests.scoring.corpora import Event
from tests.stages.ranking import log_of_events, stand_in_for_intensity, workspace
from tests.stages.reports import by_hand, value

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in_for_intensity(monkeypatch)
    monkeypatch.setattr(metric_sums, "MIN_LISTS", 1)


def evaluated(root: Path, log: list[Event] | None) -> Path:
    context = workspace(root, log)
    rank.run(context)
    return evaluate.run(context).artifact.path


def test_impressions_agree_with_scikit_learn_on_the_rows_of_each_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair_parts, "RECENT", 2)  # of few items, all pairs of ten entries occur
    path = evaluated(tmp_path, None)
    rows = pq.read_table(tmp_path / "corpus" / "timelines.parquet").to_pandas()
    ends = pq.read_table(tmp_path / "corpus" / "impressions.parquet").to_pandas().set_index("user")["history_end"]
    histories = {user: mine["item"].tolist()[: ends[user]] for user, mine in rows.groupby("user")}
    happened = set()
    for user, mine in rows[rows["split"].astype(str) != "test"].groupby("user"):
        items = [*histories[user], *mine[mine["event"] == "click"]["item"]]
        happened |= {(i, j) for place, j in enumerate(items) for i in items[:place][-2:]}
    shown = pq.read_table(tmp_path / "rankings" / "impressions.parquet").to_pandas()
    for system in ("content", "als", "interestrec"):
        auc: dict[str, list[float]] = {"pair:seen": [], "pair:new": []}
        for _, group in shown[shown["system"] == system].groupby("impression_id"):
            (clicked,) = group[group["relevant"]]["item_id"]
            history = histories[int(group["user_id"].iloc[0][1:])][-2:]
            seen = any((i, int(clicked[1:])) in happened for i in history)
            auc["pair:seen" if seen else "pair:new"].append(roc_auc_score(group["relevant"], group["score"]))
        for part, values in auc.items():
            found = value(path, system, "impressions", "auc", part)
            assert found["n"] == len(values) > 0
            assert found["value"] == pytest.approx(sum(values) / len(values))


def test_the_page_shows_all_systems_by_part_and_the_gate_knows_the_parts(tmp_path: Path) -> None:
    path = evaluated(tmp_path, log_of_events())
    found = {part: value(path, "content", "catalogue", "rr", part) for part in ("all", "pair:seen", "pair:new")}
    assert 0 < found["pair:new"]["n"] < found["pair:seen"]["n"] <= found["all"]["n"]
    page = (path / "report.html").read_text()
    table = page[page.index("Pairs seen before and new pairs, by rr") :]
    table = table[: table.index("</table>")]
    for system in ("interestrec", "als", "only:intensity", "content"):
        assert f"<td>{system}</td>" in table
    assert f"{found['pair:new']['value']:.4f}" in table
    verdict = json.loads((path / "verdicts.json").read_text())["catalogue"]["pairs"]
    assert (verdict["ids"] in ("als", "item_knn")) and verdict["text"] in ("content", "tfidf")
    assert {part["slice"] for part in verdict["parts"]} <= {"pair:seen", "pair:new"}
    assert ("sentence" in verdict) == any(part["word"] in ("better", "worse") for part in verdict["parts"])
    compared = pq.read_table(path / "comparisons.parquet").to_pylist()
    assert {"pair:seen", "pair:new"} <= {row["slice"] for row in compared}


def test_the_catalogue_by_hand(tmp_path: Path) -> None:
    """u0 had i0 and then i1, u1 had i1 and then i2: nobody had these in train; u2 has no history."""
    path = evaluate.run(by_hand(tmp_path)).artifact.path
    new = value(path, "interestrec", "catalogue", "rr", "pair:new")
    assert (new["value"], new["n"]) == (pytest.approx((1 + 3 / 4) / 2), 2)
    assert not [row for row in pq.read_table(path / "metrics.parquet").to_pylist() if row["slice"] == "pair:seen"]
