"""What every scorer of the registry promises; a new entry is tested without being named here."""

import importlib
import inspect
import pkgutil
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from interestrec import scorers as package
from interestrec.corpus.store import Corpus
from interestrec.io import files
from interestrec.scorers import queries
from interestrec.scorers.catalogue_rows import DenseRows, catalogue_rows
from interestrec.scorers.definition import (
    AGAIN,
    EVENTS,
    EXACTLY,
    FOLDED_IN,
    GRADED_EVENTS,
    KEPT,
    LABELS,
    MODEL,
    NOTHING,
    ScorerDefinition,
)
from interestrec.scorers.permitted_items import Excluded, PermittedItems
from interestrec.scorers.registry import SCORERS
from interestrec.scorers.requests import Events, Labels, Requests, Scorer
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scoring.fit_scorers import FitData, TrialFits, fit_scorer
from interestrec.scoring.rank_settings import RankSettings
from tests.scorers.fits import CASES, DEFAULTS, chosen_settings, fit_all, source
from tests.scorers.models import write_model
from tests.scoring.asking import requests, split_candidates
from tests.scoring.corpora import Event, write_event_log

USERS, ITEMS = 25, 15  # of the log; in the larger corpus there are others without events and texts
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "ranking.md"
LISTS = [[2, 14], [0], [5, 5, 1], [], [3, 14]]


def of(*sources: str) -> list[tuple[str, str]]:
    return [(name, kind) for name, kind in CASES if source(name) in sources]


def queried() -> Requests:
    """Several items, one twice, an empty history, and one of an item without events; two at one time, one at none."""
    days, at = [1, 3, 9, 4, 2, 8, 5, 6], [10, 31, None, 31, 20]
    return requests([0, 3, 3], [], [14], [7, 2], [13, 0], users=[4, 24, 1, 9, 2], days=days, at=at)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ScorerInputs]:
    """Inputs over one log in a corpus of its users and items, and in one with more."""
    rng = np.random.default_rng(0)
    events = [
        Event(int(user), int(item), float(day), intensity=float(rng.choice([0.25, 0.5, 1.0])))
        for user, item, day in zip(
            rng.integers(0, 20, 150), rng.integers(0, 12, 150), rng.random(150) * 30, strict=True
        )
    ]
    made = {}
    for name, users, items in (("small", USERS, ITEMS), ("large", 60, 40)):
        root = tmp_path_factory.mktemp(name)
        corpus = Corpus(write_event_log(root / "corpus", users, items, events), None)
        vectors = np.zeros((items, 6), np.float32)
        vectors[:ITEMS] = np.random.default_rng(1).normal(size=(ITEMS, 6))
        write_model(root / "model", vectors, np.zeros((items, 2), np.int32), users)
        made[name] = ScorerInputs(root / "model", root / "encoder", corpus, root, (), seed=3)
    return made


@pytest.fixture(scope="module")
def fitted(inputs: dict[str, ScorerInputs]) -> Any:
    """Fit a scorer by its name, the kind of its settings and the size of the corpus."""

    @cache
    def fit(name: str, kind: str, size: str = "small") -> Scorer:
        return fit_all(name, kind, inputs[size], FitData.before_split(inputs[size].corpus, queries.TEST))

    return fit


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_candidates_get_the_finite_scores_of_the_catalogue(name: str, kind: str, fitted: Any) -> None:
    scorer, asked = fitted(name, kind), queried()
    whole = scorer.score_catalogue(asked)
    assert whole.shape == (len(asked), ITEMS)
    assert whole.dtype == np.float32
    assert np.isfinite(whole).all()
    expected = [whole[row, item] for row, candidates in enumerate(LISTS) for item in candidates]
    found = scorer.score_candidates(asked, *split_candidates(LISTS))
    assert found.dtype == np.float32
    assert found[3] == found[4]  # one item twice
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "kind"), CASES)
@pytest.mark.parametrize("size", ["small", "large"])
def test_rows_of_the_catalogue_are_the_dense_matrix_in_another_form(
    name: str, kind: str, size: str, fitted: Any
) -> None:
    scorer, asked = fitted(name, kind, size), queried()
    dense, rows = scorer.score_catalogue(asked), catalogue_rows(scorer, asked)
    row, item = (part.ravel() for part in np.indices(dense.shape))
    np.testing.assert_array_equal(rows.at(row, item).reshape(dense.shape), dense)
    rng, items = np.random.default_rng(4), dense.shape[1]
    permitted = PermittedItems(rng.random(items) < 0.8, rng.permutation(items))
    excluded = Excluded(asked.offsets, asked.item)
    expected = DenseRows(dense)
    np.testing.assert_array_equal(rows.best(6, permitted, excluded), expected.best(6, permitted, excluded))
    found, moments = rows.moments(permitted.items), expected.moments(permitted.items)
    # The dense matrix has rounded each product to float32.
    np.testing.assert_allclose(found.mean, moments.mean, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(found.deviation, moments.deviation, rtol=1e-6)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_without_requests_or_candidates_there_are_no_scores(name: str, kind: str, fitted: Any) -> None:
    scorer = fitted(name, kind)
    assert scorer.score_catalogue(queried().block(0, 0)).shape == (0, ITEMS)
    assert scorer.score_candidates(requests([1], []), *split_candidates([[], []])).shape == (0,)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_second_fit_gives_the_same_bits(name: str, kind: str, inputs: dict[str, ScorerInputs], fitted: Any) -> None:
    again = fit_all(name, kind, inputs["small"], FitData.before_split(inputs["small"].corpus, queries.TEST))
    first = fitted(name, kind).score_catalogue(queried())
    np.testing.assert_array_equal(again.score_catalogue(queried()), first)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_scores_do_not_depend_on_the_other_requests_of_a_block(name: str, kind: str, fitted: Any) -> None:
    scorer, asked = fitted(name, kind), queried()
    whole = scorer.score_catalogue(asked)
    for row in range(len(asked)):
        alone = scorer.score_catalogue(asked.block(row, row + 1))
        np.testing.assert_allclose(alone[0], whole[row], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_stored_scorer_gives_the_same_bits(name: str, kind: str, fitted: Any, tmp_path: Path) -> None:
    scorer, asked = fitted(name, kind), queried()
    kept = SCORERS[name].scorer
    assert type(scorer) is kept, f"DEFINITION.scorer of '{name}' must be what its fit returns"
    files.write_safetensors(tmp_path / "scorer.safetensors", scorer.arrays())
    restored = kept.from_arrays(files.read_safetensors(tmp_path / "scorer.safetensors"))
    np.testing.assert_array_equal(restored.score_catalogue(asked), scorer.score_catalogue(asked))
    offsets, item = split_candidates(LISTS)
    np.testing.assert_array_equal(
        restored.score_candidates(asked, offsets, item), scorer.score_candidates(asked, offsets, item)
    )
    assert {key: array.tobytes() for key, array in restored.arrays().items()} == {
        key: np.ascontiguousarray(array).tobytes() for key, array in scorer.arrays().items()
    }


@pytest.mark.parametrize(("name", "kind"), of(EVENTS, GRADED_EVENTS, LABELS))
def test_users_and_items_without_events_do_not_move_the_others(name: str, kind: str, fitted: Any) -> None:
    """Deleting what only the test split holds must leave the fit as it was."""
    a, b = (fitted(name, kind, size).score_catalogue(queried()) for size in ("small", "large"))
    np.testing.assert_array_equal(a, b[:, :ITEMS])
    assert (b[:, ITEMS:] == b[:, ITEMS:][:, :1]).all(), "nothing is known of these items: they must tie"


@pytest.mark.parametrize(("name", "kind"), of(EVENTS, GRADED_EVENTS))
def test_names_and_order_of_users_have_no_effect(name: str, kind: str, inputs: dict[str, ScorerInputs]) -> None:
    data = FitData.before_split(inputs["small"].corpus, queries.TEST)
    renamed = np.random.default_rng(8).permutation(USERS).astype(np.int32)
    user = renamed[data.events.user]
    order = np.argsort(user, kind="stable")
    columns = {key: getattr(data.events, key)[order] for key in ("item", "intensity", "time")}
    permuted = FitData(replace(data.events, user=user[order], **columns), data.labels)
    asked = queried()
    plain = fit_all(name, kind, inputs["small"], data).score_catalogue(asked)
    other = fit_all(name, kind, inputs["small"], permuted).score_catalogue(replace(asked, user=renamed[asked.user]))
    np.testing.assert_array_equal(plain, other)


@pytest.mark.parametrize(("name", "kind"), [case for case in CASES if SCORERS[case[0]].fitted_on == GRADED_EVENTS])
def test_without_weak_evidence_relevant_events_count_alone(
    name: str, kind: str, inputs: dict[str, ScorerInputs]
) -> None:
    """The scores are the bits of a fit and of histories without the events that are not relevant."""
    graded = replace(inputs["small"], corpus=replace(inputs["small"].corpus, relevant_at=0.5))
    data = FitData.before_split(graded.corpus, queries.TEST)
    relevant = data.events.intensity >= 0.5
    assert 0 < relevant.sum() < len(relevant)
    columns = {key: getattr(data.events, key)[relevant] for key in ("user", "item", "intensity", "time")}
    chosen = {**chosen_settings(name, kind), "weak_evidence": 0.0}
    strength = [0.25, 1, 0.5, 1, 0.25, 1, 0.25, 0.5]
    asked = requests([0, 3, 3], [], [14], [7, 2], [13, 0], intensity=strength, days=[1, 3, 9, 4, 2, 8, 5, 9])
    cut = requests([3, 3], [], [14], [2], [0], intensity=[1, 0.5, 1, 1, 0.5], days=[3, 9, 4, 8, 9])
    whole, part = (
        fit_scorer(name, FitData(events, data.labels), graded, {}, chosen)
        for events in (data.events, replace(data.events, **columns))
    )
    np.testing.assert_array_equal(whole.score_catalogue(asked), part.score_catalogue(cut))
    weak = fit_scorer(name, data, graded, {}, {**chosen, "weak_evidence": 1.0})
    assert (weak.score_catalogue(asked) != whole.score_catalogue(asked)).any(), "weak events have no effect"


@pytest.mark.parametrize(("name", "kind"), of(EVENTS, GRADED_EVENTS, LABELS))
def test_nothing_to_fit_on_scores_nothing(name: str, kind: str, inputs: dict[str, ScorerInputs]) -> None:
    no, none = np.zeros(0, np.int32), np.zeros(0, np.float32)
    data = FitData(
        Events(no, no, none, np.zeros(0, np.int64), USERS, ITEMS), Labels(no, no, none, n_users=USERS, n_items=ITEMS)
    )
    assert not fit_all(name, kind, inputs["small"], data).score_catalogue(queried()).any()


@pytest.mark.parametrize("name", [name for name, entry in SCORERS.items() if entry.predicts_intensity])
def test_predicted_intensities_are_within_0_and_1(name: str, fitted: Any) -> None:
    score = fitted(name, DEFAULTS).score_catalogue(queried())
    assert score.min() >= 0
    assert score.max() <= 1


@pytest.mark.parametrize("name", SCORERS)
def test_a_definition_agrees_with_its_fit(name: str) -> None:
    entry = SCORERS[name]
    sources = (EVENTS, GRADED_EVENTS, LABELS, NOTHING, MODEL, *SCORERS)
    assert entry.fitted_on in sources, f"set fitted_on of '{name}' to one of {sources}"
    parameters = list(inspect.signature(entry.fit).parameters)[0 if entry.fitted_on == NOTHING else 1 :]
    keys = list(entry.settings.model_fields) if entry.settings else []
    assert sorted(parameters) == sorted([*entry.needs, *keys]), f"fit of '{name}' must take its needs and its settings"
    assert not entry.is_estimator or entry.predicts_intensity, f"an estimator such as '{name}' must predict_intensity"


@pytest.mark.parametrize("name", SCORERS)
def test_the_defaults_and_every_value_of_the_space_are_valid_settings(name: str) -> None:
    entry = SCORERS[name]
    keys = set(entry.settings.model_fields) if entry.settings else set()
    assert set(entry.space) <= keys, f"the space of '{name}' has keys that are no settings of it"
    for group in ("time_settings", "evidence_settings", "per_user_settings"):
        assert set(getattr(entry, group)) <= keys, f"{group} of '{name}' has keys that are no settings of it"
    if entry.settings is None:
        return
    entry.settings.model_validate(entry.settings().model_dump())
    for key, values in entry.space.items():
        assert len({*values}) == len(values) > 1
        for value in values:
            entry.settings.model_validate({key: value})
    with pytest.raises(ValidationError):
        entry.settings.model_validate({"no_such_key": 1})


@pytest.mark.parametrize("name", SCORERS)
def test_a_scorer_has_its_section_of_the_configuration(name: str) -> None:
    section = SCORERS[name].settings
    field = RankSettings.model_fields.get(name)
    assert (field is None) == (section is None), f"'{name}' must not be the name of another key of rank"
    assert field is None or field.annotation is section


@pytest.mark.parametrize("name", SCORERS)
def test_a_scorer_is_documented(name: str) -> None:
    table = DOCUMENTATION.read_text().partition("## Scorers")[2].partition("\n## ")[0]
    names = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert any(f"`{name}`" in cell for cell in names), (
        f"add a row of '{name}' to the table of scorers in docs/ranking.md"
    )


@pytest.mark.parametrize("name", SCORERS)
def test_it_is_documented_how_a_scorer_follows_new_events(name: str) -> None:
    table = DOCUMENTATION.read_text().partition("## Scorers")[2].partition("\n## ")[0]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| `")]
    cell = next(row[4].strip() for row in rows if f"`{name}`" in row[1])
    assert cell == SCORERS[name].follows, f"write '{SCORERS[name].follows}' into the row of '{name}' in docs/ranking.md"


@pytest.mark.parametrize("name", SCORERS)
def test_a_definition_says_how_the_scorer_follows_new_events(name: str) -> None:
    entry = SCORERS[name]
    assert entry.follows in (EXACTLY, AGAIN, FOLDED_IN, KEPT)
    assert (entry.tally is not None) == (entry.follows == EXACTLY), "a tally makes a scorer follow exactly"
    learned = entry.follows in (FOLDED_IN, KEPT) and entry.fitted_on != MODEL
    may_keep = entry.fitted_on == LABELS  # where the log has no labels
    assert (entry.follow is not None) == (learned or may_keep), "write `follow` of what is folded in or kept"


@pytest.mark.parametrize("module", [module.name for module in pkgutil.iter_modules(package.__path__)])
def test_no_scorer_is_forgotten(module: str) -> None:
    content = vars(importlib.import_module(f"interestrec.scorers.{module}"))
    definition = content.get("DEFINITION")
    if "fit" in content:
        assert isinstance(definition, ScorerDefinition), (
            f"write DEFINITION = ScorerDefinition(…) in scorers/{module}.py"
        )
    if definition is not None:
        assert SCORERS.get(module) is definition, (
            f'add "{module}": {module}.DEFINITION to SCORERS in interestrec/scorers/registry.py'
        )


@pytest.mark.parametrize("name", [name for name, entry in SCORERS.items() if entry.tally is not None])
def test_trials_that_share_their_tally_are_the_fits_alone(name: str, inputs: dict[str, ScorerInputs]) -> None:
    """In turn: the configured settings, then others that share nothing, something or all with those before."""
    own, space = inputs["large"], SCORERS[name].space
    data = FitData.before_split(own.corpus, queries.TEST)
    rank = np.arange(data.events.n_users) / data.events.n_users
    fits = TrialFits(name, data, rank, own, {})
    first, last = ({**chosen_settings(name, DEFAULTS), **{k: v[n] for k, v in space.items()}} for n in (0, -1))
    finishing = {key: last[key] for key in space if key not in SCORERS[name].tally.counting}  # type: ignore[union-attr]
    for share in (0.5, 1.0):
        part = data.of_users(rank < share)
        for settings in (chosen_settings(name, DEFAULTS), first, {**first, **finishing}, first, last):
            alone = fit_scorer(name, part, own, {}, settings).arrays()  # type: ignore[attr-defined]
            shared = fits.prepare(settings, share)().arrays()  # type: ignore[attr-defined]
            assert alone.keys() == shared.keys()
            for key, array in alone.items():
                np.testing.assert_array_equal(shared[key], array)
