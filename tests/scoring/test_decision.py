"""The weighted sum of standardised voters."""

import numpy as np

from interestrec.scorers.queries import ImpressionQueries
from interestrec.scoring.decision import Decision, voters
from interestrec.scoring.segments import ItemWeights, SegmentBlend, SegmentWeights
from tests.scoring.asking import requests

SMALL, LARGE = np.array([[0.0, 1.0, 2.0]], np.float32) * 1e-3, np.array([[2.0, 0.0, 1.0]], np.float32) * 1e3
FLAT = np.zeros((1, 3), np.float32)
STEP = np.sqrt(1.5)  # of standardised 0, 1, 2


def weights(*values: float) -> ItemWeights:
    return ItemWeights(np.array([*values, 0.0]))


def decision(of_candidates: SegmentBlend, of_catalogue: SegmentBlend, cold: list[bool]) -> Decision:
    return Decision({"a": "x", "b": "y"}, of_candidates, of_catalogue, np.ones(3, dtype=bool), np.array(cold))


def uniform(*values: float) -> SegmentBlend:
    of_all = SegmentWeights(weights(*values))
    return SegmentBlend(of_all, of_all)


def test_popularity_votes_last_unless_it_is_a_component() -> None:
    assert voters({"popular": "popularity", "a": "x"}) == {"popular": "popularity", "a": "x"}
    assert list(voters({"a": "x"}).items()) == [("a", "x"), ("popularity", "popularity")]


def test_components_weigh_by_their_standardised_scores_whatever_their_units() -> None:
    ours = decision(uniform(1, 1), uniform(1, 2), [False] * 3)
    parts = {"x": SMALL, "y": LARGE, "popularity": FLAT, "unused": LARGE}
    np.testing.assert_allclose(ours.score_catalogue(parts, requests([0]))[0] / STEP, [-1 + 2, 0 - 2, 1], atol=1e-5)


def test_cold_items_and_users_without_a_history_have_their_own_weights() -> None:
    known = SegmentWeights(weights(1, 0), weights(0, 1), offset=5.0)
    blend = SegmentBlend(known, uniform(0, 3).new)
    ours = decision(blend, blend, [False, False, True])
    parts = {name: np.repeat(part, 2, axis=0) for name, part in {"x": SMALL, "y": LARGE, "popularity": FLAT}.items()}
    score = ours.score_catalogue(parts, requests([0], []))
    np.testing.assert_allclose(score, [[-STEP, 0.0, 5.0 + 0.0], [3 * STEP, -3 * STEP, 0.0]], atol=1e-5)

    offsets = np.array([0, 3, 6])
    asked = ImpressionQueries(requests([0], []), offsets, offsets, np.arange(6))
    flat = {name: part.ravel() for name, part in parts.items()}
    found = ours.score_candidates(flat, asked, np.array([0, 1, 2, 0, 1, 2]))
    np.testing.assert_allclose(found, score.ravel(), atol=1e-5)
    everything_known = ours.with_cold_items(np.zeros(3, dtype=bool))
    np.testing.assert_allclose(
        everything_known.score_catalogue(parts, requests([0], []))[0], [-STEP, 0, STEP], atol=1e-5
    )
