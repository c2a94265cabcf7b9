"""Evidence for weights: what is fitted on, and what is compared."""

from dataclasses import replace

import numpy as np
import pytest

from interestrec.corpus.store import NO_TIME
from interestrec.scorers.item_scores import ItemScores
from interestrec.scorers.queries import RequestTruth
from interestrec.scorers.requests import Requests
from interestrec.scoring import catalogue_evidence
from interestrec.scoring.catalogue_evidence import CatalogueEvidence
from interestrec.scoring.catalogue_lists import CatalogueLists
from interestrec.scoring.evidence import COLD, WARM, WHOLE, Contest, folds, time_weights
from interestrec.scoring.impression_evidence import ImpressionEvidence
from interestrec.scoring.rules import Rules
from interestrec.scoring.segments import ItemWeights, SegmentWeights
from tests.scoring.asking import requests
from tests.scoring.blending import blend_lists

DAY = 86_400_000_000
ITEMS = 200


def single(component: int, count: int = 2) -> SegmentWeights:
    return SegmentWeights(ItemWeights(np.eye(count)[component]))


def test_lists_of_a_user_are_of_one_fold() -> None:
    user = np.array([7, 3, 7, 9, 11, 3])
    assert folds(user).tolist() == [1, 0, 1, 2, 0, 0]


def test_the_latest_lists_count_twice_as_much_as_the_earliest() -> None:
    time = np.array([0, 5 * DAY, 10 * DAY, NO_TIME])
    np.testing.assert_allclose(time_weights(time), [0.5, 2**-0.5, 1.0, 1.0])
    assert time_weights(np.full(3, NO_TIME)).tolist() == [1.0] * 3
    assert time_weights(np.full(3, DAY)).tolist() == [1.0] * 3


class PerUser:
    """Scores by user and item."""

    def __init__(self, scores: np.ndarray) -> None:
        self.scores, self.calls = scores, 0

    def score_catalogue(self, asked: Requests) -> np.ndarray:
        self.calls += 1
        return np.asarray(self.scores[asked.user], np.float32)

    def score_candidates(self, asked: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        raise NotImplementedError


@pytest.fixture
def catalogue() -> CatalogueEvidence:
    """Six users, of whom the last two have no history; the second component is popularity."""
    rng = np.random.default_rng(0)
    truth = RequestTruth(
        request=np.repeat(np.arange(6), 2),
        item=np.array([0, 150] * 6, np.int32),
        label=np.ones(12, np.float32),
        seen=np.zeros(12, dtype=bool),
    )
    asked = requests([1], [2], [3], [4], [], [])
    lists = CatalogueLists(
        asked,
        asked,
        truth,
        np.full(6, NO_TIME),
        Rules("out", 1.0, np.arange(ITEMS) != 9, None, 0.0, 50),
        np.arange(ITEMS) >= 140,
        rng.permutation(ITEMS),
        np.zeros(6, dtype=bool),
        20,
    )
    own = PerUser(rng.normal(size=(6, ITEMS)))
    popular = ItemScores(-np.arange(ITEMS, dtype=np.float32))
    return CatalogueEvidence(lists, [own, popular], np.ones(ITEMS, dtype=bool))


def test_proposals_hold_what_a_voter_ranks_first_and_never_more_for_being_relevant(
    catalogue: CatalogueEvidence,
) -> None:
    whole = catalogue.proposals(WHOLE)
    assert (np.diff(whole.offsets) <= 100).all()
    own = catalogue.voters[0].scores  # type: ignore[attr-defined]
    for user in range(6):
        rows = slice(whole.offsets[user], whole.offsets[user + 1])
        reached = np.sort(own[user, np.arange(ITEMS) != 9])[-50]
        assert whole.relevant[rows].sum() == 1 + int(own[user, 150] >= reached)  # item 0 is the most popular one
    assert not catalogue.proposals(WARM).cold.any()
    cold = catalogue.proposals(COLD)
    assert cold.cold.all()
    assert (np.diff(cold.offsets) >= 50).all()
    assert (np.diff(cold.offsets) <= 60).all()
    np.testing.assert_array_equal(cold.source, np.arange(6))


def test_contests_are_of_their_lists_and_items_and_by_the_weights_of_the_fold(catalogue: CatalogueEvidence) -> None:
    lists = np.array([True, True, True, True, False, False])
    mixed = Contest(lists, WHOLE, [[single(0)], [single(1)], [single(1)]])
    plain = [Contest(np.ones(6, dtype=bool), among, [[single(0), single(1)]] * 3) for among in (WHOLE, WARM, COLD)]
    [found], whole, warm, cold = catalogue.compare([mixed, *plain])
    fold = folds(catalogue.user)
    np.testing.assert_array_equal(found[:4], np.where(fold == 0, whole[0], whole[1])[:4])
    assert np.isnan(found[4:]).all()
    ideal = 1 + 1 / np.log2(3)
    np.testing.assert_allclose(whole[1], 1 / ideal)  # item 0 first, item 150 far behind
    np.testing.assert_allclose(warm[1], 1.0)
    np.testing.assert_allclose(cold[1], 0.0)  # 140 to 149 are more popular


def test_scores_are_kept_if_they_are_few_and_computed_again_otherwise(
    catalogue: CatalogueEvidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    contest = Contest(np.ones(6, dtype=bool), WHOLE, [[single(0), single(1)]] * 3)
    own = catalogue.voters[0]
    first, second = catalogue.compare([contest]), catalogue.compare([contest])
    assert own.calls == 1  # type: ignore[attr-defined]
    monkeypatch.setattr(catalogue_evidence, "_KEPT_BYTES", 0)
    monkeypatch.setattr("interestrec.scorers.requests._CELLS", 2 * ITEMS)
    again = CatalogueEvidence(catalogue.lists, catalogue.voters, catalogue.known_items)
    third = again.compare([contest])
    assert own.calls == 1 + 6  # type: ignore[attr-defined]
    again.proposals(WHOLE)
    assert own.calls == 1 + 12  # type: ignore[attr-defined]
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, third)
    [alone] = again.select_voters([False, True]).compare([Contest(contest.lists, WHOLE, [[single(0, 1)]] * 3)])
    np.testing.assert_array_equal(alone[0], first[0][1])


def test_impressions_are_ranked_whole() -> None:
    features = np.array([[[3.0, 0.0], [2.0, 1.0], [1.0, 2.0]]] * 2)
    relevant = np.array([[True, False, False], [False, False, True]])
    cold = np.array([[False, True, True], [False, False, True]])
    lists = replace(blend_lists(features, relevant, cold), weight=np.array([1.0, 0.5]))
    evidence = ImpressionEvidence(lists, new=np.zeros(2, dtype=bool), user=np.array([5, 6]))
    contests = [Contest(np.ones(2, dtype=bool), among, [[single(0), single(1)]] * 3) for among in (WHOLE, WARM, COLD)]
    whole, warm, cold_values = evidence.compare(contests)
    np.testing.assert_array_equal(whole, [[1.0, 0.0], [0.0, 1.0]])
    assert np.isnan(warm).all()  # one class each
    assert np.isnan(cold_values).all()
    assert evidence.select_voters([True, False]).lists.features.shape == (6, 1)
    assert evidence.weight.tolist() == [1.0, 0.5]


def test_candidates_of_all_items_give_the_evidence_of_all_items(catalogue: CatalogueEvidence) -> None:
    part = CatalogueEvidence(replace(catalogue.lists, candidates=ITEMS), catalogue.voters, catalogue.known_items)
    every = np.ones(6, dtype=bool)
    weights = [SegmentWeights(ItemWeights(np.array(w), p)) for w, p in (([1.0, 0.0], 1.0), ([0.3, 0.7], 0.5))]
    contests = [Contest(every, among, [weights] * 3) for among in (WHOLE, WARM, COLD)]
    for exact, found in zip(catalogue.compare(contests), part.compare(contests), strict=True):
        np.testing.assert_allclose(found, exact, rtol=1e-12)
    for among in (WHOLE, WARM, COLD):
        exact, found = catalogue.proposals(among), part.proposals(among)
        assert exact.offsets.tolist() == found.offsets.tolist()
        np.testing.assert_allclose(np.sort(found.features, axis=0), np.sort(exact.features, axis=0), rtol=1e-5)
    for voter in catalogue.voters:
        np.testing.assert_allclose(part.lists.scorer_values(voter), catalogue.lists.scorer_values(voter))


def test_relevant_items_that_are_no_candidates_are_missed(catalogue: CatalogueEvidence) -> None:
    lists = replace(catalogue.lists, candidates=1)
    popular = catalogue.voters[1]
    value = CatalogueEvidence(lists, [popular], catalogue.known_items)
    one = Contest(np.ones(6, dtype=bool), WHOLE, [[single(0, 1)]] * 3)
    [[found]] = value.compare([one])
    # Item 0 is first of those with events, and 150 of those without is no candidate: one of two relevant items.
    np.testing.assert_allclose(found, 1 / (1 + 1 / np.log2(3)))
