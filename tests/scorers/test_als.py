"""ALS finds blocks, folds strangers in, and knows nothing of those without a history."""

from dataclasses import replace

import numpy as np

from interestrec.scorers import als
from tests.scoring.asking import events, requests

BLOCKS = [(u, i) for u in range(10) for i in range(5) if (u + i) % 4] + [
    (u, i) for u in range(10, 20) for i in range(5, 10) if (u + i) % 4
]


def test_a_stranger_gets_items_of_the_block_their_history_is_in() -> None:
    model = als.fit(events(BLOCKS, 30, 12), 0.5, factors=4, regularization=0.1, iterations=10, alpha=5.0, seed=1)
    stranger, empty = model.score_catalogue(requests([0, 1], [], users=[29, 28]))
    assert stranger[2:5].min() > stranger[5:].max()
    assert not empty.any()
    assert not stranger[10:].any()


def test_without_any_event_every_score_is_zero() -> None:
    none = events([(0, 0)], 2, 3)
    empty = type(none)(none.user[:0], none.item[:0], none.intensity[:0], none.time[:0], 2, 3)
    model = als.fit(empty, 0.5, factors=2, regularization=0.1, iterations=1, alpha=1.0, seed=1)
    np.testing.assert_array_equal(model.score_catalogue(requests([0])), np.zeros((1, 3)))


def test_a_weak_event_is_confidence_below_that_of_a_relevant_one_by_hand() -> None:
    """One user of two items: with c = alpha · log(1 + weight), u solves (YᵀCY + λI) u = YᵀC p."""
    log = replace(events([(0, 0), (0, 1)], 1, 2), intensity=np.array([1.0, 0.25], np.float32))
    model = als.fit(log, 0.5, factors=1, regularization=0.3, iterations=5, alpha=2.0, seed=1, weak_evidence=0.8)
    y = model.item_factors[:, 0].astype(float)
    confidence = 2.0 * np.log1p([1.0, 0.8 * 0.25 / 0.5])  # implicit takes these as given where p = 1, and 1 elsewhere
    user = confidence @ y / (y @ y + (confidence - 1) @ y**2 + 0.3)
    score = model.score_catalogue(requests([0, 1], intensity=[1.0, 0.25]))
    np.testing.assert_allclose(score[0], user * y, rtol=1e-4)
