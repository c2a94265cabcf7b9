"""Items without events borrow the similarities of those whose texts are like theirs."""

import numpy as np
import pytest

from interestrec.scorers import content, item_item, item_knn
from tests.scoring.asking import events, requests

# item 0: users 0, 1; item 1: users 0, 1, 2; item 2: user 2; items 3 to 5: nobody
LOG = events([(0, 0), (1, 0), (0, 1), (1, 1), (2, 1), (2, 2)], 3, 6)
TEXTS = content.unit_rows(np.array([[1, 0], [0, 1], [-1, 0], [3, 4], [-4, -3], [0, 0]], dtype=np.float32))


def test_a_cold_item_by_hand() -> None:
    model = item_item.fit(item_knn.fit(LOG, 0.5, 10, 0.0), TEXTS, text_neighbours=2)
    s01, s12 = 2 / np.sqrt(6), 1 / np.sqrt(3)
    similar = model.similarity.toarray()
    # item 3 is near items 1 (0.8) and 0 (0.6); item 4 only has item 2 on its side
    near = np.array([0.6 + 0.8 * s01, 0.8 + 0.6 * s01, 0.8 * s12]) / 1.4
    np.testing.assert_allclose(similar[:3, 3], near, rtol=1e-6)
    np.testing.assert_allclose(similar[:3, 4], [0, s12, 1], rtol=1e-6)
    assert not similar[3:].any()
    assert not similar[:, 5].any()


def test_warm_columns_are_those_of_item_knn() -> None:
    model = item_item.fit(item_knn.fit(LOG, 0.5, 10, 2.0, "jaccard", 3.0), TEXTS, 2)
    plain = item_knn.fit(LOG, 0.5, 10, 2.0, "jaccard", 3.0)
    np.testing.assert_array_equal(model.similarity[:, :3].toarray(), plain.similarity[:, :3].toarray())


def test_a_cold_item_keeps_its_nearest() -> None:
    model = item_item.fit(item_knn.fit(LOG, 0.5, 1, 0.0), TEXTS, text_neighbours=2)
    assert np.flatnonzero(model.similarity[:, 3].toarray()).tolist() == [1]
    assert model.score_catalogue(requests([1], [0]))[:, 3].tolist() == [model.similarity[1, 3], 0]


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    pairs = [(int(u), int(i)) for u, i in zip(rng.integers(0, 9, 60), rng.integers(0, 12, 60), strict=True)]
    texts = content.unit_rows(rng.normal(size=(30, 4)).astype(np.float32))
    whole = item_item.fit(item_knn.fit(events(pairs, 9, 30), 0.5, 5, 1.0), texts, 3)
    monkeypatch.setattr(item_item, "_ROWS", 1)
    monkeypatch.setattr(item_item, "_TILE", 2)
    parts = item_item.fit(item_knn.fit(events(pairs, 9, 30), 0.5, 5, 1.0), texts, 3)
    np.testing.assert_allclose(parts.similarity.toarray(), whole.similarity.toarray(), rtol=1e-5)


@pytest.mark.parametrize("most", [1, 3, 7, 200])
def test_the_nearest_rows_are_those_of_a_whole_sort(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Products of small whole numbers are exact, with many ties, within a tile and over several."""
    monkeypatch.setattr(item_item, "_TILE", 5)
    rng = np.random.default_rng(3)
    rows, others = (rng.integers(-2, 3, (n, 4)).astype(np.float32) for n in (20, 57))
    nearest, product = item_item.nearest_rows(rows, others, most)
    whole = rows @ others.T
    for row in range(20):
        expected = np.lexsort((np.arange(57), -whole[row]))[:most]
        np.testing.assert_array_equal(nearest[row], expected)
        np.testing.assert_array_equal(product[row], whole[row, expected])


def test_without_texts_or_events_there_is_nothing_to_borrow() -> None:
    plain = item_knn.fit(LOG, 0.5, 10, 0.0).similarity.toarray()
    without = item_item.fit(item_knn.fit(LOG, 0.5, 10, 0.0), np.zeros_like(TEXTS), 2)
    np.testing.assert_array_equal(without.similarity.toarray(), plain)
