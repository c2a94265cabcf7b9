"""The stage that measures, compares and explains."""

import dataclasses
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from interestrec.core.errors import ArtifactError, ConfigError
from interestrec.corpus.store import Corpus
from interestrec.evaluation import metric_sums
from interestrec.io import files, schemas
from interestrec.stages import evaluate, rank
from interestrec.stages.run import RunContext
from interestrec.workspace.artifacts import Recipe, open_artifact, staged_version
from tests.scoring.corpora import Event
from tests.stages.ranking import (
    N_ITEMS,
    SYSTEMS,
    log_of_events,
    stand_in_for_intensity,
    without_timing,
    workspace,
)
from tests.stages.reports import by_hand, value

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def intensity(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in_for_intensity(monkeypatch)


def evaluated(context: RunContext) -> Path:
    rank.run(context)
    return evaluate.run(context).artifact.path


def test_the_catalogue_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric_sums, "MIN_LISTS", 1)
    path = evaluate.run(by_hand(tmp_path)).artifact.path
    # u0 finds its item first, u1 in a tie of two places, u2 has no list and scores 0
    tied = (1 + 1 / math.log2(3)) / 2
    ours = value(path, "interestrec", "catalogue", "ndcg@5")
    assert ours["value"] == pytest.approx((1 + tied + 0) / 3)
    assert (ours["n"], ours["dropped"]) == (3, 0)
    warm = value(path, "interestrec", "catalogue", "ndcg@5", "warm_users")
    assert warm["value"] == pytest.approx((1 + tied) / 2)
    assert warm["n"] == 2
    assert value(path, "random", "catalogue", "ndcg@5", "warm_users")["value"] == 0
    assert value(path, "interestrec", "catalogue", "rr")["value"] == pytest.approx((1 + 3 / 4) / 3)
    rows = pq.read_table(path / "metrics.parquet").to_pylist()
    assert not [row for row in rows if row["protocol"] == "impressions"]  # one candidate each: no choice to judge
    assert not [row for row in rows if row["protocol"] == "catalogue" and row["metric"] == "auc"]


def test_intensity_by_hand(tmp_path: Path) -> None:
    path = evaluate.run(by_hand(tmp_path)).artifact.path
    assert value(path, "interestrec", "intensity", "rmse")["value"] == pytest.approx(math.sqrt(0.09 / 3))
    assert value(path, "random", "intensity", "rmse")["value"] == pytest.approx(0.5)
    per_user = pq.read_table(path / "per_user.parquet").to_pandas().set_index(["system", "metric", "user_id"])["value"]
    assert per_user["interestrec", "rmse", "u2"] == pytest.approx(0.3)
    assert per_user["interestrec", "ndcg@5", "u0"] == 1


def test_impressions_agree_with_scikit_learn_on_the_stored_rows(tmp_path: Path) -> None:
    context = workspace(tmp_path, None)
    path = evaluated(context)
    shown = pq.read_table(tmp_path / "rankings" / "impressions.parquet").to_pandas()
    for system in ("interestrec", "content", "random"):
        mine = shown[shown["system"] == system]
        groups = [g for _, g in mine.groupby("impression_id") if g["relevant"].nunique() == 2]
        expected = sum(roc_auc_score(g["relevant"], g["score"]) for g in groups) / len(groups)
        found = value(path, system, "impressions", "auc")
        assert found["value"] == pytest.approx(expected)
        assert found["n"] == len(groups)
        assert found["dropped"] == mine["impression_id"].nunique() - len(groups)
        assert found["ci_low"] <= found["value"] <= found["ci_high"]


def test_comparisons_are_ours_against_every_other_system(tmp_path: Path) -> None:
    path = evaluated(workspace(tmp_path, log_of_events()))
    rows = pq.read_table(path / "comparisons.parquet").to_pylist()
    assert {row["system_a"] for row in rows} == {"interestrec"}
    assert {row["system_b"] for row in rows} == {*SYSTEMS, "only:intensity", "only:item_item"} - {"interestrec"}
    for row in rows:
        where = (row["protocol"], row["metric"], row["slice"])
        pair = [value(path, row[s], *where)["value"] for s in ("system_a", "system_b")]
        assert row["difference"] == pytest.approx(pair[0] - pair[1])
        assert row["p"] <= row["p_holm"] <= 1


def test_baselines_without_ours_are_reported_without_comparisons(tmp_path: Path) -> None:
    path = evaluated(workspace(tmp_path, log_of_events(), systems=["popularity", "random"]))
    assert pq.read_table(path / "comparisons.parquet").num_rows == 0
    assert value(path, "popularity", "catalogue", "ndcg@5")["value"] > 0
    assert "popularity" in (path / "report.html").read_text()


def test_json_says_what_the_table_says_and_two_runs_are_byte_equal(tmp_path: Path) -> None:
    context = workspace(tmp_path, log_of_events())
    path = evaluated(context)
    assert files.read_json(path / "metrics.json") == pq.read_table(path / "metrics.parquet").to_pylist()
    before = without_timing(path)
    assert set(before) >= {"comparisons.parquet", "metrics.json", "metrics.parquet", "per_user.parquet", "report.html"}
    again = evaluate.run(dataclasses.replace(context, force=True))
    assert without_timing(again.artifact.path) == before


def test_a_metric_beyond_the_stored_lists_and_an_unknown_one_are_refused(tmp_path: Path) -> None:
    context = workspace(tmp_path, log_of_events())
    rank.run(context)
    for metric, message in (("ndcg@11", "top_k = 10"), ("ndgc@5", "did you mean 'ndcg@k'")):
        settings = context.settings.model_copy(
            update={"evaluate": context.settings.evaluate.model_copy(update={"metrics": [metric]})}
        )
        with pytest.raises(ConfigError, match=message):
            evaluate.run(dataclasses.replace(context, settings=settings))


def test_rankings_of_another_corpus_are_refused(tmp_path: Path) -> None:
    context = workspace(tmp_path, log_of_events())
    rank.run(context)
    with staged_version(tmp_path, Recipe("corpus", {"other": "1"}, {}, 1)) as directory:
        files.write_json(directory / "quality.json", {})
    with pytest.raises(ArtifactError, match="another corpus"):
        evaluate.run(context)


def test_evaluating_loads_no_tensorflow() -> None:
    code = "import sys, interestrec.stages.evaluate; print([m for m in ('tensorflow', 'keras') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_cold_items_agree_with_the_stored_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric_sums, "MIN_LISTS", 1)
    cold = np.arange(N_ITEMS) % 3 == 0  # every item is in some history here
    monkeypatch.setattr(Corpus, "cold_items", lambda corpus, before: cold.copy())
    path = evaluated(workspace(tmp_path, None))
    shown = pq.read_table(tmp_path / "rankings" / "impressions.parquet").to_pandas()
    mine = shown[(shown["system"] == "content") & shown["item_id"].isin([f"i{n}" for n in cold.nonzero()[0]])]
    groups = [g for _, g in mine.groupby("impression_id") if g["relevant"].nunique() == 2]
    found = value(path, "content", "impressions", "auc", "cold_items")
    assert found["n"] == len(groups) > 0
    assert found["dropped"] == mine["impression_id"].nunique() - len(groups)
    expected = sum(roc_auc_score(g["relevant"], g["score"]) for g in groups) / len(groups)
    assert found["value"] == pytest.approx(expected)


def test_lists_of_cold_items_are_a_slice_of_the_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric_sums, "MIN_LISTS", 1)
    context = by_hand(tmp_path)
    current = open_artifact(tmp_path / "rankings", "rankings")
    with staged_version(tmp_path, Recipe("rankings", dict(current.manifest["inputs"]), {"cold": True}, 1)) as directory:
        for name in ("catalogue.parquet", "truth.parquet", "impressions.parquet", "systems.json"):
            (directory / name).write_bytes((current.path / name).read_bytes())
        cold = {"system": ["interestrec"] * 3, "user_id": ["u1"] * 3, "item_id": ["i0", "i3", "i2"], "rank": [1, 2, 3]}
        table = pa.table({**cold, "score": [3.0, 2.0, 1.0], "predicted": [1.0] * 3})
        files.write_parquet(directory / "cold_catalogue.parquet", table, schemas.RANKED_CATALOGUE)
    path = evaluate.run(context).artifact.path
    # Cold are i2 and i3: u1 had i2, listed as the second of them; u2 had i3 and has no list; u0 had neither.
    found = value(path, "interestrec", "catalogue", "rr", "cold_items")
    assert (found["value"], found["n"], found["dropped"]) == (pytest.approx((1 / 2 + 0) / 2), 2, 1)


def test_beyond_accuracy_by_hand(tmp_path: Path) -> None:
    path = evaluate.run(by_hand(tmp_path)).artifact.path

    def of(metric: str) -> dict[str, float]:
        return value(path, "interestrec", "beyond", metric)

    # Two train users; i0 and i1 are had by one each. u0 is shown i1, i2 and u1 i0, i2; u2 nothing.
    assert of("novelty")["value"] == pytest.approx(1)
    assert of("coverage")["value"] == 3 / 4
    assert of("coverage")["ci_low"] is None
    assert of("gini")["value"] == pytest.approx((-3 * 0 + -1 * 1 + 1 * 1 + 3 * 2) / (4 * 4))
    # titles n, n + 1, n + 2: neighbours share two tokens of four, those two apart one of five
    assert of("diversity")["value"] == pytest.approx((1 / 2 + 4 / 5) / 2)
    assert of("popularity_lift")["value"] == pytest.approx(1 / 2 - 1)
    assert of("category_calibration")["value"] is None
    assert of("novelty")["n"] == 2
    rows = pq.read_table(path / "exposure.parquet").to_pylist()
    whole = {"category": None, "exposure": 1.0, "catalogue": 1.0, "train_events": 1.0}
    assert rows == [{"system": system, **whole} for system in ("interestrec", "random")]


def test_small_slices_are_left_out_and_counted(tmp_path: Path) -> None:
    context = workspace(tmp_path, log_of_events())
    rank.run(context)
    result = evaluate.run(context)
    path = result.artifact.path
    left_out = files.read_json(path / "slices.json")["left_out"]
    assert result.summary["slices_left_out"] == sum(len(names) for names in left_out.values()) > 0
    reported = {(row["protocol"], row["slice"]) for row in pq.read_table(path / "metrics.parquet").to_pylist()}
    assert all(count < metric_sums.MIN_LISTS for names in left_out.values() for count in names.values())
    assert not {(protocol, name) for protocol, names in left_out.items() for name in names} & reported


def test_gaps_name_the_extremes_in_the_metrics_direction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric_sums, "MIN_LISTS", 5)
    path = evaluated(workspace(tmp_path, log_of_events()))
    reported = {(row["protocol"], row["slice"]) for row in pq.read_table(path / "metrics.parquet").to_pylist()}
    gaps = pq.read_table(path / "gaps.parquet").to_pylist()
    assert {row["metric"] for row in gaps} >= {"rmse", "ndcg@5"}
    for row in gaps:
        parts = [name for protocol, name in reported if protocol == row["protocol"] and name.startswith("activity")]
        values = [value(path, "interestrec", row["protocol"], row["metric"], name)["value"] for name in parts]
        assert row["gap"] == pytest.approx(max(values) - min(values))
        worst = max(values) if row["metric"] == "rmse" else min(values)
        assert row["worst_value"] == worst
        assert value(path, "interestrec", row["protocol"], row["metric"], row["worst"])["value"] == worst


def test_a_bad_blend_and_leaks_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    said = {"catalogue": {"rival": "r", "blend": "The blend is worse", "blend_minus_best": {"word": "worse"}}}
    fine = {"impressions": {"rival": "r", "blend": "b", "blend_minus_best": {"word": "no evidence"}}}
    evaluate._warn({"verdicts": {**said, **fine, "intensity": {"rival": "r"}}, "leaks": ["permuted labels"]})
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "evaluate: The blend is worse",
        "evaluate: the leak audit found permuted labels; see the report",
    ]


def test_a_leak_in_the_corpus_is_told_in_log_summary_and_page(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = [Event(0, item, 1.0 + item) for item in range(6)] + [Event(0, 7, 3.5, "test"), Event(1, 2, 4.0, "test")]
    context = workspace(tmp_path, log)
    rank.run(context)
    result = evaluate.run(context)
    assert result.summary["leaks"] == ["events after the user's first test impression"]
    assert "the leak audit found events after the user's first test impression" in caplog.text
    assert (
        "leak audit</a>:</span> events after the user&#39;s first test impression"
        in (result.artifact.path / "report.html").read_text()
    )


def test_what_rearranging_costs_is_compared_and_told(tmp_path: Path) -> None:
    path = evaluated(workspace(tmp_path, log_of_events(), rules={"diversity": 0.9}))
    rows = pq.read_table(path / "comparisons.parquet").to_pylist()
    found = [r for r in rows if r["system_b"] == "before_rules" and r["metric"] == "ndcg@5" and r["slice"] == "all"]
    assert [r["protocol"] for r in found] == ["catalogue"]
    assert found[0]["difference"] < 0
    assert "Cost of the rules" in (path / "report.html").read_text()
