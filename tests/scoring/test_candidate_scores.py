"""Lists of candidates against lists of all items."""

from dataclasses import replace

import numpy as np
import pytest

from interestrec.io.schemas import OURS
from interestrec.metrics.topk import top_k
from interestrec.scorers.catalogue_rows import DenseRows
from interestrec.scorers.permitted_items import Excluded, PermittedItems
from interestrec.scorers.requests import Requests
from interestrec.scoring.candidate_scores import CandidateCatalogue
from interestrec.scoring.decision import Decision
from interestrec.scoring.ensemble import CatalogueScores, Ensemble
from interestrec.scoring.intensity_estimate import IntensityEstimate
from interestrec.scoring.list_limits import ItemChoice, ListLimits
from interestrec.scoring.rank_settings import RankSettings
from interestrec.scoring.rules import Rules
from tests.answering.toys import linear, random_blend
from tests.scoring.asking import requests

ITEMS, K = 60, 8


def ensemble(seed: int) -> Ensemble:
    """Three components, one of which knows few effects of events, and weights that differ for cold items."""
    rng = np.random.default_rng(seed)
    scorers = {name: linear(rng, ITEMS, density) for name, density in (("a", 1.0), ("b", 0.1), ("popularity", 0.0))}
    cold = rng.random(ITEMS) < 0.2
    blend = random_blend(rng, len(scorers))
    decision = Decision({name: name for name in scorers}, blend, blend, ~cold, cold)
    estimate = IntensityEstimate({"a": 0.1})
    return Ensemble(scorers, {OURS: decision, "b": "b"}, {OURS: estimate, "b": estimate}, {})  # type: ignore[arg-type]


def asked(seed: int) -> Requests:
    rng = np.random.default_rng(seed)
    return requests(*[rng.integers(0, ITEMS, rng.integers(0, 6)).tolist() for _ in range(7)])


def limits(own: Requests, seed: int, choices: list[ItemChoice | None] | None = None) -> ListLimits:
    rng = np.random.default_rng(seed)
    eligible = rng.random(ITEMS) < 0.8
    rules = Rules("out", 1.0, eligible, None, 0.0, 40)
    return ListLimits(rules, own, PermittedItems(eligible, rng.permutation(ITEMS)), choices)


def best(scores: CatalogueScores, tie_order: np.ndarray) -> list[list[tuple[int, float]]]:
    """Items and scores of the first K."""
    order = tie_order if scores.item is None else np.arange(scores.score.shape[1])
    found = []
    for row, columns in enumerate(top_k(scores.score, K, order)):
        kept = columns[scores.score[row, columns] > -np.inf]
        item = scores.items(np.full(len(kept), row), kept)
        found.append(list(zip(item.tolist(), scores.score[row, kept].tolist(), strict=True)))
    return found


@pytest.mark.parametrize("seed", range(8))
def test_with_all_items_as_candidates_lists_are_the_exact_ones(seed: int) -> None:
    systems, own = ensemble(seed), asked(seed)
    choices = [ItemChoice(None, np.array([1, 2])), None, ItemChoice(np.arange(5, 50), np.array([7])), *[None] * 4]
    given = limits(own, seed, choices)
    catalogue = CandidateCatalogue(systems, own, given, ITEMS)
    for exact in systems.score_catalogue(own):
        given.apply(exact.score)
        found = catalogue.scores(exact.system, ITEMS)
        if exact.system != OURS:  # requests that name items are answered by the decision alone
            continue
        for whole, part in zip(
            best(exact, given.permitted.tie_order), best(found, given.permitted.tie_order), strict=True
        ):
            assert [item for item, _ in part] == [item for item, _ in whole]
            np.testing.assert_allclose([score for _, score in part], [score for _, score in whole], rtol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_a_single_scorer_lists_its_exact_best(seed: int) -> None:
    systems, own = ensemble(seed), asked(seed)
    given = limits(own, seed)
    found = CandidateCatalogue(systems, own, given, 1).scores("b", K)
    exact = next(scores for scores in systems.score_catalogue(own) if scores.system == "b")
    given.apply(exact.score)
    assert best(found, given.permitted.tie_order) == best(exact, given.permitted.tie_order)


@pytest.mark.parametrize("count", [1, 5, 20])
def test_a_request_has_the_same_candidates_and_bits_in_any_company(count: int) -> None:
    systems, own = ensemble(3), asked(3)
    given = limits(own, 3)
    together = CandidateCatalogue(systems, own, given, count).scores(OURS, count)
    for row in range(len(own)):
        one = own.block(row, row + 1)
        alone = CandidateCatalogue(systems, one, ListLimits(given.rules, one, given.permitted), count)
        scores = alone.scores(OURS, count)
        assert together.item is not None
        assert scores.item is not None
        kept = together.item[row] >= 0
        assert together.item[row][kept].tolist() == scores.item[0].tolist()
        assert together.score[row][kept].tobytes() == scores.score[0].tobytes()


def test_candidates_are_what_any_component_has_among_its_best_and_nothing_excluded() -> None:
    systems, own = ensemble(5), asked(5)
    given = limits(own, 5)
    found = CandidateCatalogue(systems, own, given, 3).scores(OURS, 3)
    assert found.item is not None
    for row in range(len(own)):
        item = set(found.item[row][found.item[row] >= 0].tolist())
        assert not item & set(own.item[own.offsets[row] : own.offsets[row + 1]].tolist())
        assert given.permitted.items[list(item)].all()
        score = systems.scorers["a"].score_catalogue(own.block(row, row + 1))
        given_row = ListLimits(given.rules, own.block(row, row + 1), given.permitted)
        ruled = score.astype(np.float64)
        given_row.apply(ruled)
        assert set(np.argsort(-ruled[0], kind="stable")[:3].tolist()) <= item


def test_cold_items_alone_are_listed_by_their_own_best() -> None:
    systems, own = ensemble(6), asked(6)
    decision = systems.systems[OURS]
    assert isinstance(decision, Decision)
    given = limits(own, 6)
    found = CandidateCatalogue(systems, own, given, ITEMS).scores(OURS, ITEMS, decision.cold_items)
    exact = next(scores for scores in systems.score_catalogue(own) if scores.system == OURS)
    given.apply(exact.score)
    exact.score[:, ~decision.cold_items] = -np.inf
    lists = zip(best(exact, given.permitted.tie_order), best(found, given.permitted.tie_order), strict=True)
    for whole, part in lists:
        assert [item for item, _ in part] == [item for item, _ in whole]


def test_a_seen_item_that_is_lowered_needs_the_exact_way() -> None:
    assert RankSettings().candidates_among(20_000) is None
    assert RankSettings(top_k=900).candidates_among(20_001) == 900
    assert RankSettings(exact=False).candidates_among(5) == RankSettings().candidates
    assert RankSettings.model_validate({"rules": {"seen": "down"}}).candidates_among(10**6) is None
    with pytest.raises(ValueError, match="remove exact: false"):
        RankSettings.model_validate({"exact": False, "rules": {"seen": "down"}})


def test_what_is_known_of_a_scorer_is_not_sought_again(monkeypatch: pytest.MonkeyPatch) -> None:
    systems, own = ensemble(7), asked(7)
    systems = replace(
        systems,
        systems={**systems.systems, "a": "a"},
        predictions={**systems.predictions, "a": IntensityEstimate({"a": 0.1})},
    )
    calls, best = [], DenseRows.best

    def counted(rows: DenseRows, k: int, permitted: PermittedItems, excluded: Excluded) -> np.ndarray:
        calls.append(k)
        return best(rows, k, permitted, excluded)

    monkeypatch.setattr(DenseRows, "best", counted)
    decision = systems.systems[OURS]
    assert isinstance(decision, Decision)
    catalogue = CandidateCatalogue(systems, own, limits(own, 7), 20)
    for name in systems.systems:
        catalogue.scores(name, K)
    assert calls == [20] * (3 * 2)  # of each component, among all items and among those without events
    shorter = catalogue.best("a", 5, catalogue.limits.permitted)
    np.testing.assert_array_equal(
        shorter, catalogue.rows("a").best(5, catalogue.limits.permitted, catalogue.limits.excluded)
    )
    assert len(calls) == 3 * 2 + 1
