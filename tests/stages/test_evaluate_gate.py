"""What is asked of a report, and reports over several seeds."""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from interestrec.core.errors import ArtifactError, ConfigError, InputMissingError
from interestrec.evaluation import metric_sums
from interestrec.evaluation.requirements import parse_bound
from interestrec.io import files
from interestrec.pipeline import run_all
from interestrec.stages import evaluate, rank
from interestrec.stages.run import GateRequest, RunContext
from interestrec.workspace.artifacts import Recipe, open_artifact, staged_version
from tests.stages.ranking import log_of_events, stand_in_for_intensity, without_timing, workspace
from tests.stages.reports import by_hand, value

pytestmark = pytest.mark.slow

TIED = (1 + 1 / math.log2(3)) / 2  # ndcg of u1, whose item is in a tie of two places


def asked(context: RunContext, *require: str, not_worse_than: Path | None = None) -> RunContext:
    return dataclasses.replace(context, gate=GateRequest(tuple(map(parse_bound, require)), not_worse_than))


def configured(context: RunContext, **evaluate: Any) -> RunContext:
    section = context.settings.evaluate.model_copy(update=evaluate)
    return dataclasses.replace(context, settings=context.settings.model_copy(update={"evaluate": section}))


def ranked_anew(root: Path, config: Mapping[str, Any], systems: Mapping[str, str], seed: int = 1) -> Path:
    """The workspace's rankings once more, systems going by other names."""
    current = open_artifact(root / "rankings", "rankings")
    with staged_version(root, Recipe("rankings", dict(current.manifest["inputs"]), config, seed)) as directory:
        for name in ("catalogue.parquet", "cold_catalogue.parquet", "impressions.parquet", "truth.parquet"):
            if not (current.path / name).exists():
                continue
            table = pq.read_table(current.path / name)
            if "system" in table.column_names:
                words = [systems.get(word, word) for word in table["system"].cast(pa.string()).to_pylist()]
                column = pa.array(words).dictionary_encode()
                table = table.set_column(table.column_names.index("system"), "system", column)
            pq.write_table(table, directory / name)
        described = files.read_json(current.path / "systems.json")
        described["systems"] = {systems.get(name, name): told for name, told in described["systems"].items()}
        files.write_json(directory / "systems.json", described)
    return (root / "rankings").resolve()


def test_requirements_of_command_line_and_configuration_count_together(tmp_path: Path) -> None:
    context = by_hand(tmp_path)
    before = evaluate.run(context)
    assert (before.notes, before.failures) == ((), ())
    gated = asked(configured(context, require=["rmse<0.2"]), "catalogue:ndcg@5>=0.9", "coverage>=0.75")
    result = evaluate.run(gated)
    assert not result.built  # a bound changes nothing in the report
    assert result.artifact.digest == before.artifact.digest
    assert [note.partition(" is ")[0] for note in result.notes] == ["rmse (intensity)", "coverage (beyond)"]
    ndcg = value(result.artifact.path, "interestrec", "catalogue", "ndcg@5")
    interval = f"{ndcg['ci_low']:.4f} to {ndcg['ci_high']:.4f}"
    assert result.failures == (
        f"ndcg@5 (catalogue) is {(1 + TIED) / 3:.4f}, required is >= 0.9; its 95 % interval {interval} contains it",
    )


def test_what_cannot_be_required_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    context = by_hand(tmp_path)
    for text, told in (("acu>0.5", "unknown metric 'acu'"), ("warm_user/rmse<1", "did you mean 'warm_users'")):
        with pytest.raises(ConfigError, match=told):
            evaluate.run(asked(context, text))
    with pytest.raises(InputMissingError, match="there is no report to compare with"):
        evaluate.run(asked(context, not_worse_than=tmp_path / "report"))
    assert not (tmp_path / "report").exists()
    # `run` finds it before its first stage, which would miss the raw log
    with pytest.raises(ConfigError, match="unknown metric 'acu'"):
        next(run_all(configured(context, require=["acu>0.5"])))
    ranked_anew(tmp_path, {}, {"interestrec": "content"})
    with pytest.raises(ConfigError, match="not among the ranked systems"):
        evaluate.run(asked(context, "rmse<1"))


def test_what_the_report_turns_out_not_to_have_is_refused_with_the_report_there(tmp_path: Path) -> None:
    context = by_hand(tmp_path)
    with pytest.raises(ConfigError, match="warm_users has 2 lists"):
        evaluate.run(asked(context, "warm_users/rmse<1"))
    with pytest.raises(ConfigError, match="unknown metric 'auc'"):  # one candidate an impression
        evaluate.run(asked(context, "auc>0.5"))
    assert (tmp_path / "report" / "report.html").exists()


@pytest.fixture
def accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunContext:
    """A workspace with a report, `accepted` leading to it."""
    stand_in_for_intensity(monkeypatch)
    context = workspace(tmp_path / "space", log_of_events())
    rank.run(context)
    (tmp_path / "accepted").symlink_to(evaluate.run(context).artifact.path)
    return context


def test_a_fall_beyond_noise_fails_and_equal_quality_passes(tmp_path: Path, accepted: RunContext) -> None:
    gated = asked(accepted, "recall@10>=0", "coverage>=0", not_worse_than=tmp_path / "accepted")
    (itself,) = (note for note in evaluate.run(gated).notes if "earlier" in note)
    assert itself.endswith("is this report")

    again = evaluate.run(configured(gated, bootstrap=60))
    assert again.failures == ()
    assert [note.partition(":")[0] for note in again.notes].count("no evidence of a fall") == 3
    assert "coverage (beyond) is not compared" in again.notes[-1]

    ranked_anew(tmp_path / "space", {"swapped": True}, {"interestrec": "random", "random": "interestrec"})
    worse = evaluate.run(gated)
    named = [failure.partition(" (")[0] for failure in worse.failures]
    assert named == ["quality fell: rr", "quality fell: recall@10"]  # rr stands for the catalogue: there is no ndcg@10
    assert "users paired" in worse.failures[0]
    new, old = (
        value(path, "interestrec", "catalogue", "rr")["value"]
        for path in (worse.artifact.path, (tmp_path / "accepted").resolve())
    )
    assert f"{new:.4f} against {old:.4f}" in worse.failures[0]


def test_reports_of_two_corpora_are_compared_unpaired(tmp_path: Path, accepted: RunContext) -> None:
    other = workspace(tmp_path / "other", log_of_events(seed=1))
    rank.run(other)
    result = evaluate.run(asked(other, not_worse_than=tmp_path / "space"))  # a workspace will do
    assert result.failures == ()
    assert all("users of two corpora" in note for note in result.notes)


def test_an_earlier_report_of_another_meaning_is_refused(tmp_path: Path, accepted: RunContext) -> None:
    with pytest.raises(ArtifactError, match=r"has evaluate\.gain binary, but this one has graded"):
        evaluate.run(asked(configured(accepted, gain="graded"), not_worse_than=tmp_path / "accepted"))
    assert (tmp_path / "space" / "report").resolve() == (tmp_path / "accepted").resolve()


def test_seeds_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric_sums, "MIN_LISTS", 1)
    context = by_hand(tmp_path / "one", seed=1)
    by_hand(tmp_path / "two", seed=2, first="i0", predicted=0.4)
    given = (tmp_path / "two", tmp_path / "one" / "rankings")
    result = evaluate.run(dataclasses.replace(context, seeds=given))
    path = result.artifact.path
    assert result.summary["seeds"] == 2
    assert list(result.artifact.manifest["inputs"]) == ["corpus", "rankings_1", "rankings_2"]
    assert result.artifact.manifest["config"]["seeds"] == [1, 2]

    ours = value(path, "interestrec", "catalogue", "ndcg@5")
    by_seed = [(1 + TIED) / 3, TIED / 3]  # with seed 2, u0 is shown nothing it likes
    assert ours["value"] == pytest.approx(sum(by_seed) / 2)
    assert ours["seed_sd"] == pytest.approx(abs(by_seed[0] - by_seed[1]) / math.sqrt(2))
    assert ours["n"] == 3
    rmse = value(path, "interestrec", "intensity", "rmse")
    assert rmse["value"] == pytest.approx((0.3 + 0.6) / math.sqrt(3) / 2)
    assert value(path, "random", "intensity", "rmse")["seed_sd"] == 0
    table = pq.read_table(path / "per_user.parquet").to_pylist()
    users = {(row["metric"], row["user_id"]): row["value"] for row in table if row["system"] == "interestrec"}
    assert users["ndcg@5", "u0"] == pytest.approx(0.5)
    assert users["rmse", "u2"] == pytest.approx(math.sqrt((0.09 + 0.36) / 2))
    comparisons = pq.read_table(path / "comparisons.parquet").to_pylist()
    (row,) = (row for row in comparisons if (row["slice"], row["metric"]) == ("all", "ndcg@5"))
    theirs = value(path, "random", "catalogue", "ndcg@5")["value"]
    assert row["difference"] == pytest.approx(ours["value"] - theirs)

    before = without_timing(path)
    turned = dataclasses.replace(context, seeds=given[::-1])
    assert not evaluate.run(turned).built
    assert without_timing(evaluate.run(dataclasses.replace(turned, force=True)).artifact.path) == before


def test_rankings_that_differ_in_more_than_the_seed_are_refused(tmp_path: Path) -> None:
    context = by_hand(tmp_path / "one", seed=1)
    same = by_hand(tmp_path / "same", seed=1, first="i0").settings.workspace
    lacking, other = (by_hand(tmp_path / name, seed=2).settings.workspace for name in ("lacking", "other"))
    ranked_anew(lacking, {}, {"random": "als"}, seed=2)
    ranked_anew(other, {"rank": {"top_k": 9}}, {}, seed=2)
    elsewhere = workspace(tmp_path / "elsewhere", log_of_events()).settings.workspace
    with staged_version(elsewhere, Recipe("rankings", {"corpus": "another"}, {}, 2)):
        pass
    for given, told in (
        (same, "both have seed 1"),
        (lacking, "only one has als, random"),
        (other, "were ranked with different top_k"),
        (elsewhere, "from another corpus"),
    ):
        with pytest.raises(ArtifactError, match=told):
            evaluate.run(dataclasses.replace(context, seeds=(tmp_path / "one", given)))


def test_exposure_is_of_what_all_seeds_show(tmp_path: Path) -> None:
    context = by_hand(tmp_path / "one", seed=1)
    by_hand(tmp_path / "two", seed=2, first="i0")
    path = evaluate.run(dataclasses.replace(context, seeds=(tmp_path / "one", tmp_path / "two"))).artifact.path
    rows = pq.read_table(path / "exposure.parquet")
    assert pc.sum(rows["exposure"]).as_py() == 2  # a share a system
    coverage = value(path, "interestrec", "beyond", "coverage")
    assert coverage["value"] == pytest.approx((3 / 4 + 2 / 4) / 2)
    assert coverage["seed_sd"] == pytest.approx(1 / 4 / math.sqrt(2))
