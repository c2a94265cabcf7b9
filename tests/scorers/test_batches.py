"""A request has the same bits alone and among any others; and nobody is answered by a history alone."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interestrec.core import ragged
from interestrec.corpus.store import NO_TIME, Corpus
from interestrec.scorers import ease, intensity, queries, strength
from interestrec.scorers.queries import ImpressionQueries
from interestrec.scorers.registry import COMPONENTS
from interestrec.scorers.requests import Requests, Scorer
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scoring.decision import Decision, voters
from interestrec.scoring.fit_scorers import FitData
from interestrec.scoring.segments import ItemWeights, SegmentBlend, SegmentWeights
from tests.scorers.fits import CASES, DEFAULTS, fit_all
from tests.scorers.models import write_model
from tests.scoring.corpora import DAY, Event, write_event_log

SIZES = {"more items": (50, 110), "more users": (140, 45)}  # users and items: both forms of EASE
UNKNOWN = 48  # a user of the first corpus without events, labels and attributes; the code of the feature is 0
Fit = Callable[[str, str, str], Scorer]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ScorerInputs]:
    made = {}
    for size, (users, items) in SIZES.items():
        root, rng = tmp_path_factory.mktemp("batches"), np.random.default_rng(0)
        columns = (rng.integers(0, users - 2, 900), rng.integers(0, items - 2, 900), rng.random(900) * 30)
        strength = rng.choice([0.25, 0.5, 1.0], 900)
        log = [
            Event(int(user), int(item), float(day), intensity=float(value))
            for user, item, day, value in zip(*columns, strength, strict=True)
        ]
        corpus = Corpus(write_event_log(root / "corpus", users, items, log), 0.5)
        vectors = rng.normal(size=(items, 37)).astype(np.float32)
        write_model(root / "model", vectors, rng.integers(-1, 5, (items, 2)).astype(np.int32), users)
        made[size] = ScorerInputs(root / "model", root / "encoder", corpus, root, (), seed=3)
    return made


@pytest.fixture(scope="module")
def fitted(inputs: dict[str, ScorerInputs]) -> Fit:
    @cache
    def fit(name: str, kind: str, size: str) -> Scorer:
        data = FitData.before_split(inputs[size].corpus, queries.TEST)
        return fit_all(name, kind, inputs[size], data)

    return fit


def queried(size: str, count: int = 75) -> Requests:
    """Histories of up to 60 entries, some empty; known and unknown users; a few times, one of them unknown."""
    users, items = SIZES[size]
    rng = np.random.default_rng(5)
    offsets = ragged.from_lengths(rng.choice([0, 1, 2, 3, 8, 20, 60], count))
    total = int(offsets[-1])
    time = np.sort(rng.integers(0, 31 * DAY, total))
    return Requests(
        user=rng.integers(-1, users, count).astype(np.int32),
        offsets=offsets,
        item=rng.integers(0, items, total).astype(np.int32),
        intensity=rng.choice([0.0, 0.25, 0.5, 1.0], total).astype(np.float32),
        time=np.where(rng.random(total) < 0.1, NO_TIME, time),
        at=rng.choice([31 * DAY, 40 * DAY, NO_TIME], count),
    )


def partitions(count: int) -> Iterator[np.ndarray]:
    """Blocks of rows in random order: of any size, and one by one."""
    rng = np.random.default_rng(6)
    for cuts in (2, 9):
        yield from np.split(rng.permutation(count), np.sort(rng.choice(np.arange(1, count), cuts, replace=False)))
    yield from rng.permutation(count)[:15, None]


def candidate_lists(size: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    offsets = ragged.from_lengths(rng.choice([1, 2, 7, 40], count))
    return offsets, rng.integers(0, SIZES[size][1], offsets[-1]).astype(np.int32)


def require_the_same_bits(scorer: Scorer, size: str) -> None:
    """Fail unless scores are finite, and those of a request the same in any batch, by both methods."""
    asked = queried(size)
    offsets, item = candidate_lists(size, len(asked))
    catalogue, candidates = scorer.score_catalogue(asked), scorer.score_candidates(asked, offsets, item)
    assert np.isfinite(catalogue).all()
    assert np.isfinite(candidates).all()
    for rows in partitions(len(asked)):
        np.testing.assert_array_equal(scorer.score_catalogue(asked.rows(rows)), catalogue[rows])
        part, entries = ragged.take(offsets, rows)
        found = scorer.score_candidates(asked.rows(rows), part, item[entries])
        np.testing.assert_array_equal(found, candidates[entries])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_scores_have_the_same_bits_in_any_batch(name: str, kind: str, size: str, fitted: Fit) -> None:
    scorer, asked = fitted(name, kind, size), queried(size)
    require_the_same_bits(scorer, size)
    offsets, item = candidate_lists(size, len(asked))
    whole = scorer.score_catalogue(asked)[ragged.owner(offsets), item]
    size_of_scores = max(float(np.abs(whole).max()), 1.0)
    np.testing.assert_allclose(
        scorer.score_candidates(asked, offsets, item), whole, rtol=1e-5, atol=1e-6 * size_of_scores
    )


@pytest.mark.parametrize(("retrieve", "search"), [(None, "exact"), (20, "exact"), (20, "approximate")])
@pytest.mark.parametrize(
    "changes",
    [{"similarity": "user", "max_history": 20, "width": 38}, {"blocks": 2, "hidden": (9, 7), "max_history": 50}],
)
def test_models_of_other_parts_have_the_same_bits_too(
    changes: dict[str, Any], retrieve: int | None, search: str, inputs: dict[str, ScorerInputs], tmp_path: Path
) -> None:
    size = "more items"
    users, items = SIZES[size]
    vectors = np.random.default_rng(8).normal(size=(items, 37)).astype(np.float32)
    for path in (tmp_path / "model", tmp_path / "model" / "member-1"):
        write_model(path, vectors, np.zeros((items, 2), np.int32), users, **changes)
    opened = replace(inputs[size], model=tmp_path / "model")
    require_the_same_bits(intensity.fit(opened, retrieve, search), size)
    require_the_same_bits(strength.fit(opened), size)


def test_the_third_form_of_ease_too(inputs: dict[str, ScorerInputs]) -> None:
    size = "more users"
    events = FitData.before_split(inputs[size].corpus, queries.TEST).events
    require_the_same_bits(ease.fit(events, 0.5, 3.0, max_size=5, neighbours=9), size)


@pytest.mark.parametrize("power", [1.0, 0.5])
@pytest.mark.parametrize("size", SIZES)
def test_the_decision_has_the_same_bits_in_any_batch(size: str, power: float, fitted: Fit) -> None:
    items = SIZES[size][1]
    asked = queried(size)
    components = dict(COMPONENTS)
    scorers = {name: fitted(name, DEFAULTS, size) for name in voters(components).values()}
    rng = np.random.default_rng(2)
    warm, cold = (ItemWeights(rng.random(len(scorers)), power) for _ in range(2))
    blend = SegmentBlend(SegmentWeights(warm, cold, 0.7, 0.1), SegmentWeights(cold))
    made = Decision(components, blend, blend, rng.random(items) < 0.9, rng.random(items) < 0.2)
    offsets, item = candidate_lists(size, len(asked))

    def catalogue(requests: Requests) -> np.ndarray:
        return made.score_catalogue({name: s.score_catalogue(requests) for name, s in scorers.items()}, requests)

    def candidates(requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        parts = {name: s.score_candidates(requests, offsets, item) for name, s in scorers.items()}
        return made.score_candidates(parts, ImpressionQueries(requests, offsets, offsets, np.arange(len(item))), item)

    whole, listed = catalogue(asked), candidates(asked, offsets, item)
    for rows in partitions(len(asked)):
        np.testing.assert_array_equal(catalogue(asked.rows(rows)), whole[rows])
        part, entries = ragged.take(offsets, rows)
        np.testing.assert_array_equal(candidates(asked.rows(rows), part, item[entries]), listed[entries])


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_nobody_is_answered_as_a_user_of_whom_nothing_is_known(name: str, kind: str, fitted: Fit) -> None:
    size = "more items"
    scorer, asked = fitted(name, kind, size), queried(size)
    found = scorer.score_catalogue(replace(asked, user=np.full_like(asked.user, -1)))
    assert np.isfinite(found).all()
    known = scorer.score_catalogue(replace(asked, user=np.full_like(asked.user, UNKNOWN)))
    if name == "random":  # which draws for the empty id
        assert (found[0] != known[0]).any()
        assert (found == found[0]).all()
    else:
        np.testing.assert_array_equal(found, known)
