"""TF-IDF by hand."""

import numpy as np
import pytest

from interestrec.scorers import tfidf
from tests.scoring.asking import requests

TEXTS = ["red red lamp", "red shoe", "lamp", "Blüte", "shoe green", ""]
KNOWN = np.array([True, True, True, True, False, True])


def test_cosine_to_the_weighted_mean_by_hand() -> None:
    def idf(items: int) -> float:
        return 1 + np.log(6 / (1 + items))  # of 5 known items

    red, lamp, shoe = idf(2), idf(2), idf(1)
    first = np.array([(1 + np.log(2)) * red, lamp, 0])
    second = np.array([red, 0, shoe])
    vectors = [first / np.linalg.norm(first), second / np.linalg.norm(second), [0, 1, 0], [0, 0, 0], [0, 0, 1]]
    mean = vectors[0] + 0.5 * vectors[1]
    score = tfidf.fit(TEXTS, KNOWN, 1, 1).score_catalogue(requests([0, 1], [3], [], [5], intensity=[1, 0.5, 1, 1]))
    expected = [np.dot(vector, mean) / np.linalg.norm(mean) for vector in vectors]
    np.testing.assert_allclose(score[0], [*expected, 0], rtol=1e-5)
    assert score[1].tolist() == pytest.approx([0, 0, 0, 1, 0, 0])
    assert not score[2:].any()


def test_unknown_items_move_neither_vocabulary_nor_frequencies() -> None:
    asked = requests([0, 1])
    score = tfidf.fit(TEXTS, KNOWN, 2, 1).score_catalogue(asked)[0]
    other = tfidf.fit([*TEXTS[:4], "lamp lamp red new words", ""], KNOWN, 2, 1).score_catalogue(asked)[0]
    np.testing.assert_array_equal(np.delete(other, 4), np.delete(score, 4))


def test_without_words_every_score_is_zero() -> None:
    for texts, least in ((["", "", ""], 1), (["one", "two", "three"], 2)):
        assert not tfidf.fit(texts, np.ones(3, bool), 1, least).score_catalogue(requests([0])).any()
    assert not tfidf.fit(["one", "two"], np.zeros(2, bool), 1, 1).score_catalogue(requests([0])).any()
