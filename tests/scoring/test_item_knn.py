"""Item-kNN by hand and against dense algebra."""

import numpy as np
import pytest

from interestrec.scoring import item_knn
from tests.scoring.asking import events, requests


def test_shrunk_cosine_by_hand() -> None:
    # item 0: users 0, 1; item 1: users 0, 1, 2; item 2: user 2
    model = item_knn.fit(events([(0, 0), (1, 0), (0, 1), (1, 1), (2, 1), (2, 2), (2, 2)], 3, 3), 0.5, 10, 4.0)
    score = model.score_catalogue(requests([0], [1, 1], [0, 2]))
    s01, s12 = 2 / (np.sqrt(6) + 4), 1 / (np.sqrt(3) + 4)
    np.testing.assert_allclose(score, [[0, s01, 0], [s01, 0, s12], [0, s01 + s12, 0]], rtol=1e-6)


def test_history_entries_below_relevance_do_not_count() -> None:
    model = item_knn.fit(events([(0, 0), (0, 1)], 1, 2), 0.5, 10, 0.0)
    assert not model.score_catalogue(requests([0], intensity=[0.4])).any()
    assert model.score_catalogue(requests([0], intensity=[0.5]))[0, 1] == pytest.approx(1)


def test_each_item_keeps_its_nearest_neighbours() -> None:
    rng = np.random.default_rng(2)
    seen = rng.random((30, 9)) < 0.4
    pairs = [(int(u), int(i)) for u, i in zip(*np.nonzero(seen), strict=True)]
    together = seen.T.astype(float) @ seen
    size = np.sqrt(np.diag(together))
    cosine = together / (np.outer(size, size) + 1.0)
    np.fill_diagonal(cosine, 0)
    for j in range(9):
        cosine[np.lexsort((np.arange(9), -cosine[:, j]))[3:], j] = 0
    model = item_knn.fit(events(pairs, 30, 9), 0.5, 3, 1.0)
    np.testing.assert_allclose(model.similarity.toarray(), cosine, rtol=1e-6)
