"""The decision that `rank` keeps: what is restored scores with the same bits, for the same recipe it is kept."""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from interestrec.core.errors import ArtifactError
from interestrec.corpus.store import Corpus
from interestrec.io import files
from interestrec.scorers import queries
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scoring import decision_files
from interestrec.scoring.fit_systems import FittedSystems
from interestrec.stages import fit_decision, rank
from interestrec.stages.run import DryRun, RankRequest, RunContext
from tests.scoring.corpora import DAY
from tests.stages.ranking import COMPONENTS, SYSTEMS, log_of_events, stand_in_for_intensity, without_timing, workspace


@pytest.fixture(autouse=True)
def intensity(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in_for_intensity(monkeypatch)


def inputs_of(context: RunContext, root: Path) -> ScorerInputs:
    corpus = Corpus(root / "corpus", 0.5)
    return ScorerInputs(root / "model", root / "encoder", corpus, root, (), context.settings.seed)


def test_restored_systems_score_with_the_bits_of_the_fitted_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[FittedSystems] = []
    write = fit_decision.write_systems
    monkeypatch.setattr(fit_decision, "write_systems", lambda *given: (written.append(given[1]), write(*given)))
    context = workspace(tmp_path, log_of_events(), ablation="full")
    path = fit_decision.fit(context).artifact.path
    restored = decision_files.read_systems(path, inputs_of(context, tmp_path))
    assert set(restored.ensemble.systems) == set(written[0].ensemble.systems) > {"without:item_item"}
    requests = queries.catalogue_requests(Corpus(tmp_path / "corpus", 0.5), queries.TEST)
    pairs = zip(written[0].ensemble.score_catalogue(requests), restored.ensemble.score_catalogue(requests), strict=True)
    for before, after in pairs:
        assert before.system == after.system
        np.testing.assert_array_equal(before.score, after.score)
        row, item = np.divmod(np.arange(before.score.size), before.score.shape[1])
        predicted = (scores.predicted(row, item, scores.score.ravel()) for scores in (before, after))
        np.testing.assert_array_equal(*predicted)
    ours = decision_files.read_systems(path, inputs_of(context, tmp_path), "interestrec").ensemble
    assert list(ours.systems) == ["interestrec"]
    assert "random" not in ours.scorers
    (alone,) = ours.score_catalogue(requests)
    before = next(s for s in written[0].ensemble.score_catalogue(requests) if s.system == "interestrec")
    np.testing.assert_array_equal(alone.score, before.score)


def test_the_decision_is_fitted_once_for_all_parts_and_rules_of_stock(tmp_path: Path) -> None:
    context = workspace(tmp_path, log_of_events())
    whole = rank.run(context)
    decision = (tmp_path / "decision").resolve()
    for part in (1, 2):
        rank.run(dataclasses.replace(context, rank_request=RankRequest(shard=(part, 2))))
    (tmp_path / "stock.txt").write_text("i3\ni4\n")
    rules = context.settings.rank.rules.model_copy(update={"available": tmp_path / "stock.txt"})
    stocked = context.settings.model_copy(update={"rank": context.settings.rank.model_copy(update={"rules": rules})})
    lists = rank.run(dataclasses.replace(context, settings=stocked))
    assert lists.artifact.path != whole.artifact.path
    assert (tmp_path / "decision").resolve() == decision
    shown = pq.read_table(lists.artifact.path / "catalogue.parquet")["item_id"].unique().to_pylist()
    assert set(shown) == {"i3", "i4"}


def test_times_between_which_nothing_happened_share_a_decision(tmp_path: Path) -> None:
    context = workspace(tmp_path, log_of_events())
    rank.run(context)
    paths = []
    for day in (29.99, 40.0, 50.0, 24.0):
        rank.run(dataclasses.replace(context, rank_request=RankRequest(as_of=round(day * DAY))))
        paths.append((tmp_path / "decision").resolve())
    last = max(e.day for e in log_of_events() if e.day is not None)
    assert last < 29.99
    assert paths[0] == paths[1] == paths[2] != paths[3]


def test_choices_are_those_of_the_test_split_whether_or_not_its_decision_is_at_hand(tmp_path: Path) -> None:
    as_of = RankRequest(as_of=round(26 * DAY))
    tables = []
    for name in ("first", "alone"):
        context = workspace(tmp_path / name, log_of_events(), trials=3)
        if name == "first":
            rank.run(context)
        path = rank.run(dataclasses.replace(context, rank_request=as_of)).artifact.path
        tables.append((without_timing(path)["catalogue.parquet"], files.read_json(path / "systems.json")["scorers"]))
    assert tables[0] == tables[1]


def test_a_dry_run_plans_the_lists(tmp_path: Path) -> None:
    context = dataclasses.replace(workspace(tmp_path, log_of_events()), dry_run=True)
    with pytest.raises(DryRun) as planned:
        rank.run(context)
    assert (planned.value.plan.kind, planned.value.plan.builds) == ("rankings", True)
    assert not (tmp_path / "decision").exists()


def test_a_damaged_or_foreign_decision_is_refused(tmp_path: Path) -> None:
    context = workspace(tmp_path, log_of_events(), systems=["popularity"])
    path = fit_decision.fit(context).artifact.path
    with pytest.raises(ArtifactError, match="has no system interestrec"):
        decision_files.read_systems(path, inputs_of(context, tmp_path), "interestrec")
    content = files.read_json(path / "decision.json")
    files.write_json(path / "decision.json", {name: value for name, value in content.items() if name != "tried"})
    with pytest.raises(ArtifactError, match="not a decision of this release"):
        decision_files.read_context(path)


def test_all_systems_are_kept(tmp_path: Path) -> None:
    path = fit_decision.fit(workspace(tmp_path, log_of_events())).artifact.path
    systems = [name for name, _ in files.read_json(path / "decision.json")["systems"]]
    assert [name for name in systems if name in SYSTEMS] == SYSTEMS
    assert set(systems) == {*SYSTEMS, *(f"only:{c}" for c in COMPONENTS[:2])}
