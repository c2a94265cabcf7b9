"""How components enter the blend, and when one of them decides alone."""

import numpy as np

from interestrec.scoring.fit_blend import fit
from interestrec.scoring.segments import BlendLists, SegmentBlend, SegmentWeights, apply_power

ROWS = 30


def lists(features: np.ndarray, relevant: np.ndarray) -> BlendLists:
    """One relevant row of thirty a list."""
    count = len(features)
    no = np.zeros(count * ROWS, dtype=bool)
    offsets = np.arange(0, count * ROWS + 1, ROWS)
    return BlendLists(features.reshape(count * ROWS, -1), offsets, relevant.ravel(), no, np.zeros(count, bool), ~no)


def chosen(utility: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    drawn = utility + rng.gumbel(size=utility.shape)
    return drawn == drawn.max(axis=1, keepdims=True)


def test_scores_with_a_heavy_tail_enter_by_their_roots_and_others_as_they_are() -> None:
    rng = np.random.default_rng(0)
    plain = rng.normal(size=(400, ROWS, 2))
    as_they_are = fit(["a", "b"], lists(plain, chosen(plain @ [2.0, 1.0], rng)), "ndcg@10", None)
    assert as_they_are.choice.blend.power == 1.0
    heavy = np.sign(plain) * plain**2 * np.exp(rng.normal(size=(400, 1, 1)))  # lists differ in how sure they seem
    by_roots = fit(["a", "b"], lists(heavy, chosen(2.0 * plain @ [1.0, 1.0], rng)), "ndcg@10", None)
    assert by_roots.choice.blend.power == 0.5
    assert by_roots.quality["interestrec"] > max(by_roots.quality["a"], by_roots.quality["b"])


def test_a_component_that_ranks_better_than_any_blend_decides_alone() -> None:
    """Right at the top in nine lists of ten, at the bottom in the rest: likelihood fears that, the metric does not."""
    rng = np.random.default_rng(1)
    relevant = np.zeros((200, ROWS), dtype=bool)
    relevant[:, 0] = True
    sure = rng.normal(size=(200, ROWS)) * 0.01
    sure[:, 0] = np.where(np.arange(200) % 10 > 0, 30.0, -200.0)
    other = rng.normal(size=(200, ROWS)) + 2.5 * relevant
    found = fit(["sure", "other"], lists(np.stack([sure, other], axis=2), relevant), "ndcg@10", None)
    assert found.choice.segments == "one component"
    assert found.choice.blend.known.warm.tolist() == [1.0, 0.0]
    assert found.quality["interestrec"] == found.quality["sure"] > found.quality["other"]


def test_the_power_is_of_the_size_and_keeps_the_sign() -> None:
    scores = np.array([-4.0, 0.0, 9.0])
    assert apply_power(scores, 0.5).tolist() == [-2.0, 0.0, 3.0]
    weights = SegmentWeights(np.array([2.0]), np.array([2.0]))
    cold, new = np.zeros(3, dtype=bool), np.zeros(3, dtype=bool)
    assert SegmentBlend(weights, weights, 0.5)([scores], cold, new).tolist() == [-4.0, 0.0, 6.0]
