"""Item-kNN by hand and against dense algebra."""

from dataclasses import replace

import numpy as np
import pytest

from interestrec.core.errors import ConfigError
from interestrec.scorers import item_knn
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


def test_a_weak_event_weighs_in_the_fit_and_in_the_history_by_hand() -> None:
    # relevant from 0.5, weak evidence 0.5: 0.25 weighs 0.25 and 0.4 weighs 0.4; the stronger event of a pair counts
    log = events([(0, 0), (0, 0), (0, 1), (1, 0), (1, 1)], 2, 2)
    graded = replace(
        log, intensity=np.array([0.25, 0.4, 0.5, 1.0, 0.25], np.float32)
    )  # x_0 = (0.4, 1), x_1 = (1, 0.25)
    model = item_knn.fit(graded, 0.5, 10, 1.0, weak_evidence=0.5)
    cosine = 0.65 / (np.sqrt(1.16 * 1.0625) + 1)
    assert model.similarity[0, 1] == pytest.approx(cosine)
    score = model.score_catalogue(requests([0], [0], intensity=[1.0, 0.25]))
    assert score[:, 1].tolist() == pytest.approx([cosine, cosine / 4])


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


def test_jaccard_by_hand() -> None:
    # item 0: users 0, 1; item 1: users 0, 1, 2; item 2: user 2
    log = events([(0, 0), (1, 0), (0, 1), (1, 1), (2, 1), (2, 2), (2, 2)], 3, 3)
    model = item_knn.fit(log, 0.5, 10, 1.0, similarity="jaccard")
    np.testing.assert_allclose(model.similarity.toarray(), [[0, 2 / 4, 0], [2 / 4, 0, 1 / 4], [0, 1 / 4, 0]])


def test_what_is_a_half_life_old_counts_half_in_the_fit_and_in_the_history() -> None:
    log = events([(0, 0), (0, 0), (0, 1), (1, 1), (1, 0)], 2, 3, days=[0, 10, 20, 20, 20])
    by_cosine = item_knn.fit(log, 0.5, 10, 0.5, half_life=10.0)  # x_0 = (1/2, 1), x_1 = (1, 1)
    cosine = 1.5 / (np.sqrt(1.25 * 2) + 0.5)
    assert by_cosine.similarity[0, 1] == pytest.approx(cosine)
    by_jaccard = item_knn.fit(log, 0.5, 10, 0.5, "jaccard", 10.0)
    assert by_jaccard.similarity[0, 1] == pytest.approx(1.5 / (1.25 + 2 - 1.5 + 0.5))
    score = by_cosine.score_catalogue(requests([0, 2], days=[3, 13]))
    assert score[0].tolist() == pytest.approx([0, cosine / 2, 0])


def test_what_is_too_old_to_weigh_anything_is_like_nothing() -> None:
    log = events([(0, 0), (0, 1)], 1, 2, days=[0, 600])  # 2⁻⁶⁰⁰ is above 0, its square is not
    model = item_knn.fit(log, 0.5, 10, 0.0, half_life=1.0)
    assert not model.score_catalogue(requests([0], [1])).any()


def test_an_unknown_similarity_names_the_choices() -> None:
    with pytest.raises(ConfigError, match="cosine, jaccard"):
        item_knn.fit(events([(0, 0)], 1, 1), 0.5, 10, 0.0, similarity="dice")
