"""A decision follows new events: exactly where sums tell everything, also for new people, items and counters."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from interestrec.core.errors import ArtifactError, ConfigError, DataError, InputMissingError
from interestrec.corpus.store import Corpus
from interestrec.io import files
from interestrec.scorers import queries
from interestrec.scorers.definition import AGAIN, EXACTLY, LABELS
from interestrec.scorers.intensity import Intensity
from interestrec.scorers.item_search import ApproximateSearch
from interestrec.scorers.registry import SCORERS, required_scorers
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scoring.decision_files import (
    NEW_TEXT_VECTORS,
    open_log,
    read_context,
    read_shared,
    read_systems,
    read_tallies,
)
from interestrec.scoring.fit_scorers import FitData, fit_scorer
from interestrec.scoring.update_decision import event_change
from interestrec.scoring.update_scorers import update_scorer
from interestrec.serving.feedback_journal import EVENT_FILE, FEEDBACK, ITEM_FILE
from interestrec.stages import finetune, pretrain_adapt, rank, update
from interestrec.stages.recommend import open_answers
from interestrec.stages.run import RankRequest, RunContext
from interestrec.workspace.artifacts import Artifact, open_artifact
from interestrec.workspace.forgotten import add_forgotten
from tests.stages.learning import shop

RANK = {
    "systems": ["interestrec", "popularity"],
    "trials": 1,
    "als": {"factors": 4, "iterations": 3},
    "bpr": {"factors": 4, "iterations": 3},
    "sequence": {"epochs": 1, "width": 8, "length": 5},
    "bayesian_mf": {"factors": 2, "iterations": 3},
    "mf": {"factors": 2},
}
NEW_EVENTS = """user,item,time,kind
u1,{old},2027-01-01T10:00:00Z,purchase
brand-new,{old},2027-01-01T11:00:00Z,view
brand-new,sku-new,2027-01-01T12:00:00Z,purchase
u2,sku-new,2027-01-02T09:00:00Z,purchase
"""
NEW_ITEMS = "item,name,description,department\nsku-new,Steel kettle,Boils water for tea,kitchen\n"


@pytest.fixture(scope="module")
def ranked(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> RunContext:
    """A shop that was trained and ranked."""
    root = tmp_path_factory.mktemp("shop")
    context = shop(
        root, tiny_encoder, pretrain_adapt={"steps": 0}, finetune={"epochs": 1, "hidden": [8], "width": 8}, rank=RANK
    )
    for stage in (pretrain_adapt, finetune, rank):
        stage.run(context)
    return context


@pytest.fixture
def context(ranked: RunContext, tmp_path: Path) -> RunContext:
    """A copy whose decision may change."""
    import shutil

    shutil.copytree(ranked.settings.workspace, tmp_path / "work", symlinks=True)
    return dataclasses.replace(ranked, settings=ranked.settings.model_copy(update={"workspace": tmp_path / "work"}))


def write_new(context: RunContext, root: Path) -> tuple[Path, Path]:
    items = Corpus(context.settings.workspace / "corpus", 0.5).items["item_id"].to_pylist()
    events, described = root / "today.csv", root / "new_items.csv"
    events.write_text(NEW_EVENTS.format(old=items[0]))
    described.write_text(NEW_ITEMS)
    return events, described


def inputs_of(context: RunContext, decision: Artifact) -> ScorerInputs:
    workspace = context.settings.workspace
    return ScorerInputs(
        model=workspace / "model",
        encoder=workspace / "encoder",
        corpus=open_log(decision.path, 0.5),
        workspace=workspace,
        requests=(),
        seed=context.settings.seed,
        new_text_vectors=read_shared(decision.path, NEW_TEXT_VECTORS),
    )


def distances(context: RunContext, decision: Artifact) -> dict[str, float]:
    """Largest difference of a score from that of the scorer fitted again on all events, by scorer that events fit."""
    inputs = inputs_of(context, decision)
    systems = read_systems(decision.path, inputs, "interestrec", with_bases=True)
    log = inputs.corpus
    nobody = np.zeros(0, np.int64)
    data: Callable[[], FitData] = event_change(log, log, nobody, nobody, True).data
    requests = (
        open_answers(context, 5, None, ()).recommender.ask_users(np.arange(log.users.num_rows), 2**60, 5).requests
    )
    fitted: dict[str, object] = {}
    found = {}
    for name in required_scorers(list(systems.ensemble.scorers)):
        definition = SCORERS[name]
        settings = context.settings.rank.scorer_settings(name)
        settings = systems.selection.settings.get(name, settings)
        if definition.fitted_on == "model":
            continue
        reads = None if definition.is_static else data()
        fitted[name] = again = fit_scorer(name, reads, inputs, fitted, settings)  # type: ignore[arg-type]
        updated = systems.ensemble.scorers[name].score_catalogue(requests)
        found[name] = float(np.abs(updated - again.score_catalogue(requests)).max())
    return found


def test_exact_parts_equal_a_refit_and_the_distance_of_the_others_is_shown(
    context: RunContext, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = update.run(context, *write_new(context, tmp_path))
    assert result.summary == {
        "events_read": 4,
        "events_added": 4,
        "events_known": 0,
        "events_forgotten": 0,
        "items_added": 1,
        "users_added": 1,
    }
    found = distances(context, result.artifact)
    with capsys.disabled():
        print("\nlargest difference from a refit:", {name: round(value, 6) for name, value in found.items()})
    exact = [name for name in found if SCORERS[name].follows in (EXACTLY, AGAIN)]
    assert {"popularity", "item_knn", "item_item", "ease", "covisit", "session_knn", "trending"} <= set(exact)
    assert max(found[name] for name in exact) <= 1e-6
    assert set(read_tallies(result.artifact.path)) >= {"popularity", "item_knn", "ease", "covisit"}
    second = update.run(context, _later(tmp_path, context), None)  # from stored tallies
    again = distances(context, second.artifact)
    assert max(again[name] for name in exact) <= 1e-6


def _later(root: Path, context: RunContext) -> Path:
    items = Corpus(context.settings.workspace / "corpus", 0.5).items["item_id"].to_pylist()
    path = root / "later.csv"
    path.write_text(f"user,item,time,kind\nu3,{items[1]},2027-02-01T10:00:00Z,purchase\n")
    return path


def test_what_is_new_is_recommended_and_counted(context: RunContext, tmp_path: Path) -> None:
    before = open_answers(context, 500, None, ()).lists_of_users(["u5"]).rows
    update.run(context, *write_new(context, tmp_path))
    service = open_answers(context, 500, None, ())
    new = service.recommender.find_item("sku-new")
    assert new not in before.item
    rows = service.lists_of_users(["u5"]).rows
    assert new in rows.item
    assert np.isfinite(rows.score).all()
    assert ((rows.intensity >= 0) & (rows.intensity <= 1)).all()
    assert len(service.lists_of_users(["brand-new"]).rows.item)
    assert new not in service.lists_of_users(["brand-new"]).rows.item  # bought
    assert service.similar("sku-new").rows.item.size > 0
    (intensity,) = (service.recommender.ensemble.scorers[name] for name in ("intensity",))
    counts = intensity.models[0].moments.items.at(service.options.at)  # type: ignore[attr-defined]
    assert counts[new, -1] == 2


def test_new_items_join_the_index_of_the_search(context: RunContext, tmp_path: Path) -> None:
    searched = context.settings.rank.model_copy(update={"retrieve": 5, "search": "approximate"})
    context = dataclasses.replace(context, settings=context.settings.model_copy(update={"rank": searched}))
    lists = rank.run(context).artifact
    before = open_artifact(context.settings.workspace / "decision", "decision")
    described = files.read_json(lists.path / "systems.json")["search"]
    after = update.run(context, *write_new(context, tmp_path)).artifact
    known, grown = (_search_of(context, decision) for decision in (before, after))
    assert described == {"recall": known.recall}
    assert grown.catalogue.n_items == known.catalogue.n_items + 1
    assert grown.stored.size > known.stored.size
    assert grown.recall == known.recall  # of the fit
    with pytest.raises(ConfigError, match=r"other values of rank\.search; run `interestrec rank`"):
        exact = searched.model_copy(update={"search": "exact"})
        settings = context.settings.model_copy(update={"rank": exact})
        update.run(dataclasses.replace(context, settings=settings), _later(tmp_path, context), None)


def _search_of(context: RunContext, decision: Artifact) -> ApproximateSearch:
    systems = read_systems(decision.path, inputs_of(context, decision), "interestrec")
    intensity = systems.ensemble.scorers["intensity"]
    assert isinstance(intensity, Intensity)
    assert isinstance(intensity.search, ApproximateSearch)
    return intensity.search


def test_a_file_delivered_twice_changes_nothing(context: RunContext, tmp_path: Path) -> None:
    events, items = write_new(context, tmp_path)
    first = update.run(context, events, items)
    again = update.run(context, events, items)
    assert (again.built, again.artifact.path) == (False, first.artifact.path)
    assert (again.summary["events_read"], again.summary["events_known"]) == (4, 4)


def test_lists_for_a_time_come_from_the_updated_decision_and_the_test_split_from_its_own(
    context: RunContext, tmp_path: Path
) -> None:
    test = open_artifact(context.settings.workspace / "rankings", "rankings")
    updated = update.run(context, *write_new(context, tmp_path)).artifact
    now = dataclasses.replace(context, rank_request=RankRequest(as_of=2**60))
    lists = rank.run(now).artifact
    assert lists.manifest["inputs"]["decision"] == updated.digest
    assert rank.run(context).artifact.path == test.path
    assert (context.settings.workspace / "decision").resolve() == updated.path


def test_forgotten_users_leave_the_exact_parts_exactly(context: RunContext, tmp_path: Path) -> None:
    events, items = write_new(context, tmp_path)
    update.run(context, events, items)
    add_forgotten(context.settings.workspace, ["u1", "brand-new"])
    result = update.run(context, None, None)
    assert result.summary["events_forgotten"] > 2
    service = open_answers(context, 5, None, ())
    with pytest.raises(DataError, match="no user 'u1' in the decision"):
        service.lists_of_users(["u1"])
    found = distances(context, result.artifact)
    assert max(value for name, value in found.items() if SCORERS[name].follows in (EXACTLY, AGAIN)) <= 1e-6
    assert b"brand-new" not in b"".join(path.read_bytes() for path in result.artifact.path.rglob("*.json"))
    assert not update.run(context, None, None).built


def feedback(context: RunContext, events: list[tuple[str, str, str]], *items: str) -> None:
    """Append what clients of the web service reported: users, items and kinds, and new items."""
    directory = context.settings.workspace / FEEDBACK
    directory.mkdir(exist_ok=True)
    with (directory / EVENT_FILE).open("a") as file:
        for number, (user, item, kind) in enumerate(events):
            names = {"event_id": f"{user}-{item}-{number}", "user_id": user, "item_id": item}
            file.write(
                json.dumps({**names, "time": f"2027-01-01T10:00:0{number}Z", "event": kind, "value": None}) + "\n"
            )
    with (directory / ITEM_FILE).open("a") as file:
        for item in items:
            described = {"title": "Steel kettle", "text": "Boils water for tea", "category": "kitchen"}
            file.write(json.dumps({"item_id": item, **described}) + "\n")


def read_feedback(context: RunContext) -> int:
    return read_context((context.settings.workspace / "decision").resolve()).feedback


def test_feedback_is_followed_once_and_events_of_items_wait_for_their_description(context: RunContext) -> None:
    (known,) = Corpus(context.settings.workspace / "corpus", 0.5).items["item_id"].to_pylist()[:1]
    feedback(context, [("brand-new", known, "view"), ("u1", "sku-later", "purchase"), ("u1", known, "purchase")])
    result = update.run(context, None, None, feedback=True)
    assert (result.summary["events_added"], result.summary["users_added"], result.summary["items_added"]) == (2, 1, 0)
    assert read_feedback(context) == 3
    assert not update.run(context, None, None, feedback=True).built
    feedback(context, [("u2", known, "view")], "sku-later")
    result = update.run(context, None, None, feedback=True)
    assert (result.summary["events_added"], result.summary["items_added"]) == (2, 1)
    assert read_feedback(context) == 4
    found = distances(context, result.artifact)
    assert max(value for name, value in found.items() if SCORERS[name].follows in (EXACTLY, AGAIN)) <= 1e-6
    service = open_answers(context, 500, None, ())
    later = service.recommender.find_item("sku-later")
    assert later not in service.lists_of_users(["u1"]).rows.item  # bought


def test_items_alone_join_by_feedback(context: RunContext) -> None:
    assert not update.run(context, None, None, feedback=True).built  # there is no journal
    feedback(context, [], "sku-later")
    result = update.run(context, None, None, feedback=True)
    assert (result.summary["events_read"], result.summary["items_added"]) == (0, 1)
    assert not update.run(context, None, None, feedback=True).built
    assert open_answers(context, 5, None, ()).similar("sku-later").rows.item.size > 0
    feedback(context, [("u1", "nobody-knows-it", "view")])
    result = update.run(context, None, None, feedback=True)
    assert (result.built, result.summary["events_added"], read_feedback(context)) == (True, 0, 1)


def test_feedback_that_the_log_has_already_is_counted_as_read(context: RunContext, tmp_path: Path) -> None:
    """A decision tells how much of the journal it knows, and the service adds the rest to histories."""
    items = Corpus(context.settings.workspace / "corpus", 0.5).items["item_id"].to_pylist()
    events = tmp_path / "today.csv"
    events.write_text(f"user,item,time,kind\nu1,{items[0]},2027-01-01T10:00:00Z,purchase\n")
    update.run(context, events, None)
    feedback(context, [("u1", items[0], "purchase")])
    result = update.run(context, None, None, feedback=True)
    assert (result.summary["events_read"], result.summary["events_known"]) == (1, 1)
    assert (result.built, read_feedback(context)) == (True, 1)


def test_what_cannot_follow_is_refused(context: RunContext, tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match=r"--events .*nothing\.csv: no such file"):
        update.run(context, tmp_path / "nothing.csv", None)
    old = tmp_path / "old.csv"
    old.write_text("user,item,time,kind\nu1,sku-1,1999-01-01T10:00:00Z,view\n")
    with pytest.raises(DataError, match="1 of 1 new events are older than all of the log"):
        update.run(context, old, None)
    events, _ = write_new(context, tmp_path)
    with pytest.raises(ConfigError, match="--items does not go with a directory"):
        update.run(context, tmp_path, events)
    rank = context.settings.rank
    seen_again = rank.model_copy(update={"rules": rank.rules.model_copy(update={"seen": "in"})})
    settings = context.settings.model_copy(update={"rank": seen_again})
    with pytest.raises(ConfigError, match=r"made with other values of rank\.rules; run `interestrec rank`"):
        update.run(dataclasses.replace(context, settings=settings), events, None)
    finetune.run(dataclasses.replace(context, settings=context.settings.model_copy(update={"seed": 5}), force=True))
    with pytest.raises(ArtifactError, match="made of another model"):
        update.run(context, events, None)


@pytest.mark.parametrize("name", [name for name in SCORERS if SCORERS[name].fitted_on == LABELS])
def test_predictors_of_intensity_keep_what_they_learned_where_labels_are_not_events(
    context: RunContext, tmp_path: Path, name: str
) -> None:
    settings = context.settings.rank.scorer_settings(name)
    inputs = inputs_of(context, open_artifact(context.settings.workspace / "decision", "decision"))
    nobody, before = np.zeros(0, np.int64), inputs.corpus
    fitted = fit_scorer(name, event_change(before, before, nobody, nobody, True).data(), inputs, {}, settings)
    updated = update.run(context, *write_new(context, tmp_path)).artifact
    inputs = inputs_of(context, updated)
    users = np.arange(before.users.num_rows)
    change = event_change(before, inputs.corpus, users, np.array([3]), labels_known=False)
    kept, _ = update_scorer(name, fitted, None, change, inputs, {}, settings)
    asked = queries.requests_as_of(before, 2**60, users[users != 3])
    old, new = fitted.score_catalogue(asked), kept.score_catalogue(asked)
    assert new.shape[1] == inputs.corpus.items.num_rows > old.shape[1]
    np.testing.assert_array_equal(new[:, : old.shape[1]], old)
    newest = queries.requests_as_of(inputs.corpus, 2**60, np.array([3, inputs.corpus.users.num_rows - 1]))
    assert np.isfinite(kept.score_catalogue(newest)).all()
