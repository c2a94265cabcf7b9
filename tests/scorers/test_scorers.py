"""What every scorer promises, whichever it is."""

from collections.abc import Callable

import numpy as np
import pytest

from interestrec.scorers import (
    als,
    bias,
    bpr,
    content,
    ease,
    item_item,
    item_knn,
    mean_intensity,
    mf,
    popularity,
    tfidf,
    trending,
)
from interestrec.scorers.random import RandomScores, id_hashes
from interestrec.scorers.requests import Events, Labels, Scorer
from tests.scoring.asking import events, requests, split_candidates

LEAST = float(np.finfo(np.float32).tiny)


def some_events() -> Events:
    rng = np.random.default_rng(0)
    pairs = [(int(u), int(i)) for u, i in zip(rng.integers(0, 20, 150), rng.integers(0, 12, 150), strict=True)]
    return events(pairs, 25, 15, days=list(rng.random(150) * 30))


def texts(n_items: int) -> np.ndarray:
    """Unit vectors; without text from item 15 on."""
    vectors = np.zeros((n_items, 6), np.float32)
    vectors[:15] = np.random.default_rng(1).normal(size=(15, 6))
    return content.unit_rows(vectors)


def graded(e: Events) -> Labels:
    return Labels(e.user, e.item, (e.time % 7 / 7).astype(np.float32), e.n_users, e.n_items)


def chance(_: Events) -> Scorer:
    return RandomScores(id_hashes([f"u{n}" for n in range(25)], 1), id_hashes([f"i{n}" for n in range(15)], 1))


SCORERS: dict[str, Callable[[Events], Scorer]] = {
    "random": chance,
    "popularity": popularity.fit,
    "trending": lambda e: trending.fit(e, half_life=7),
    "item_knn": lambda e: item_knn.fit(e, LEAST, neighbours=5, shrinkage=2.0),
    "jaccard": lambda e: item_knn.fit(e, LEAST, 5, 2.0, "jaccard", half_life=9.0),
    "item_item": lambda e: item_item.fit(item_knn.fit(e, LEAST, 5, 2.0), texts(e.n_items), 3),
    "ease": lambda e: ease.fit(e, LEAST, 2.0, max_size=100),
    "recent_ease": lambda e: ease.fit(e, LEAST, 2.0, max_size=10, half_life=9.0),
    "bpr": lambda e: bpr.fit(e, LEAST, 4, 0.05, 0.01, iterations=5, fold_steps=2, seed=3),
    "als": lambda e: als.fit(e, LEAST, factors=4, regularization=0.1, iterations=5, alpha=1.0, seed=3),
    "tfidf": lambda _: tfidf.fit([f"w{n % 4} w{n % 3}" for n in range(15)], np.arange(15) < 12, 1, 1),
    "mean_intensity": lambda e: mean_intensity.fit(graded(e)),
    "bias": lambda e: bias.fit(graded(e), 2.0, 1.0),
    "mf": lambda e: mf.fit(graded(e), 3, 0.05, 4, 2.0, 1.0, seed=3),
    "content": lambda e: content.fit(np.random.default_rng(1).normal(size=(15, 6)).astype(np.float32)),
}


@pytest.mark.parametrize("name", SCORERS)
def test_candidates_get_the_catalogues_scores(name: str) -> None:
    scorer = SCORERS[name](some_events())
    asked = requests([0, 3, 3], [], [14], [7, 2], users=[4, 24, 1, 9])
    whole = scorer.score_catalogue(asked)
    assert whole.shape == (4, 15)
    assert whole.dtype == np.float32
    assert np.isfinite(whole).all()
    lists = [[2, 14], [0], [5, 5, 1], []]
    offsets, item = split_candidates(lists)
    expected = [whole[row, i] for row, candidates in enumerate(lists) for i in candidates]
    np.testing.assert_allclose(scorer.score_candidates(asked, offsets, item), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", SCORERS)
def test_a_second_fit_and_another_company_of_requests_change_nothing(name: str) -> None:
    first, second = SCORERS[name](some_events()), SCORERS[name](some_events())
    asked = requests([0, 3], [1], [4, 4, 8], users=[2, 3, 24])
    np.testing.assert_array_equal(first.score_catalogue(asked), second.score_catalogue(asked))
    alone = first.score_catalogue(asked.block(2, 3))
    np.testing.assert_allclose(alone[0], first.score_catalogue(asked)[2], rtol=1e-5, atol=1e-6)


COUNTED = "popularity trending item_knn jaccard item_item als ease recent_ease bpr".split()


@pytest.mark.parametrize("name", COUNTED)
def test_users_and_items_without_events_do_not_move_the_others(name: str) -> None:
    """Deleting what only the test split holds must leave the fit as it was."""
    small = some_events()
    large = Events(small.user, small.item, small.intensity, small.time, n_users=60, n_items=40)
    asked = requests([0, 3], [1], users=[2, 3])
    a, b = SCORERS[name](small).score_catalogue(asked), SCORERS[name](large).score_catalogue(asked)
    np.testing.assert_array_equal(a, b[:, :15])
    assert not b[:, 15:].any()


@pytest.mark.parametrize("name", ["mean_intensity", "bias", "mf"])
def test_users_and_items_without_labels_do_not_move_the_others(name: str) -> None:
    small = some_events()
    large = Events(small.user, small.item, small.intensity, small.time, n_users=60, n_items=40)
    asked = requests([], [], users=[2, 24])
    a, b = SCORERS[name](small).score_catalogue(asked), SCORERS[name](large).score_catalogue(asked)
    np.testing.assert_array_equal(a, b[:, :15])


@pytest.mark.parametrize("name", COUNTED)
def test_nothing_to_fit_on_scores_nothing(name: str) -> None:
    some = some_events()
    none = Events(some.user[:0], some.item[:0], some.intensity[:0], some.time[:0], 25, 15)
    assert not SCORERS[name](none).score_catalogue(requests([0, 3], [])).any()
