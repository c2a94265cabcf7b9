"""The head: its two logits by hand, categories and prices by hand and in general, and empty histories."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from interestrec.model.head import CandidateSide, InterestHead, UserSide, category_counts, price_level
from interestrec.model.history_attention import ABSENT
from tests.model.towers import LENGTH, LEVELS, TEXT_WIDTH, WIDTH, randomised

USERS, CANDIDATES = 4, 6


def unit(rng: np.random.Generator, *shape: int) -> np.ndarray:
    drawn = rng.normal(size=shape).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=-1, keepdims=True)


def sides(seed: int = 0) -> tuple[UserSide, CandidateSide]:
    """Users of whom the second has read nothing, with and without prices and categories."""
    rng = np.random.default_rng(seed)
    texts = unit(rng, USERS, LENGTH, TEXT_WIDTH)
    weights = np.where(np.arange(LENGTH) < [[LENGTH], [0], [1], [3]], rng.normal(size=(USERS, LENGTH)), ABSENT)
    share = np.exp(np.maximum(weights, -99)) / np.exp(np.maximum(weights, -99)).sum(axis=1, keepdims=True)
    share *= weights > ABSENT / 2
    price = rng.normal(size=(USERS, CANDIDATES))
    user = UserSide(
        texts,
        weights,
        np.einsum("ul,ulw->uw", share, texts),
        rng.normal(size=(USERS, WIDTH)),
        rng.integers(-1, 4, (USERS, LENGTH, LEVELS)),
        np.array([0.3, np.nan, -1.0, 0.5]),
    )
    items = CandidateSide(
        unit(rng, USERS, CANDIDATES, TEXT_WIDTH),
        rng.normal(size=(USERS, CANDIDATES, WIDTH)),
        rng.integers(-1, 5, (USERS, CANDIDATES, LEVELS)),
        np.where(rng.random(price.shape) < 0.3, np.nan, price),
    )
    kinds = {"categories": np.int32}
    return tuple(  # type: ignore[return-value]
        type(side)(*(tf.constant(v, kinds.get(n, np.float32)) for n, v in side._asdict().items()))
        for side in (user, items)
    )


def head(hidden: tuple[int, ...] = (7,), similarity: Any = "history") -> InterestHead:
    made = InterestHead(WIDTH, list(hidden), LEVELS, similarity, name="head")
    made.build()
    return made


def by_hand(made: InterestHead, user: UserSide, items: CandidateSide) -> tuple[np.ndarray, np.ndarray]:
    """The formulas of the class, pair by pair."""
    w = {weight.path.removeprefix("head/"): weight.numpy().astype(np.float64) for weight in made.weights}
    user, items = (type(side)(*(part.numpy() for part in side)) for side in (user, items))
    order, strength = np.empty((2, USERS, CANDIDATES))
    for u in range(USERS):
        read = [j for j in range(LENGTH) if user.weights[u, j] > -1e8]
        for i in range(CANDIDATES):
            x, o = user.vector[u], items.vectors[u, i]
            cosines = user.texts[u, read] @ items.texts[u, i]
            attention = np.exp(w["sharpness"] * cosines + user.weights[u, read])
            similarity = float(attention @ cosines / attention.sum()) if read else 0.0
            if made.similarity == "user":
                similarity = float(user.text[u] @ items.texts[u, i])
            order[u, i] = w["scale"] * similarity + w["gain"] * x @ o
            for level in range(LEVELS):
                wanted = items.categories[u, i, level]
                same = sum(wanted >= 0 and user.categories[u, j, level] == wanted for j in read)
                order[u, i] += w["match"][level] * np.sqrt(same / (len(read) + 3))
            hidden = np.maximum(x @ w["first_user/kernel"] + w["first_user/bias"] + o @ w["first_item/kernel"], 0)
            for number in range(len(made.middle)):
                hidden = hidden @ w[f"middle_{number}/kernel"] + w[f"middle_{number}/bias"]
                hidden = np.maximum(hidden, 0)
            order[u, i] += float((hidden @ w["last/kernel"])[0])
            above = items.prices[u, i] - user.price[u]
            if np.isfinite(above):
                order[u, i] += w["price_linear"] * above + w["price_square"] * above**2
            strength[u, i] = (w["strength_pair"] * x) @ o + w["strength_user"] @ x + w["strength_item"] @ o
            strength[u, i] += w["strength_scale"] * similarity + w["strength_bias"]
    return order, strength


@pytest.mark.parametrize("hidden", [(7,), (7, 3)])
@pytest.mark.parametrize("similarity", ["history", "user"])
def test_the_logits_by_hand(hidden: tuple[int, ...], similarity: str) -> None:
    made = randomised(head(hidden, similarity))
    user, items = sides()
    for found, expected in zip(made(user, items), by_hand(made, user, items), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_a_new_head_ranks_by_the_similarity_of_texts_and_says_nothing_of_strength() -> None:
    made = head()
    user, items = sides()
    items = items._replace(vectors=tf.zeros_like(items.vectors))  # as new fused items are
    order, strength = made(user, items)
    similarity = made.attention_similarity(user.texts, user.weights, items.texts).numpy()
    np.testing.assert_allclose(order, 10 * similarity, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(strength, np.zeros((USERS, CANDIDATES)))
    np.testing.assert_array_equal(order[1], np.zeros(CANDIDATES))  # nothing was read


def test_candidates_that_all_users_share_are_scored_like_repeated_ones() -> None:
    made = randomised(head())
    user, items = sides()
    shared = CandidateSide(*(part[:1] for part in items))
    repeated = CandidateSide(*(tf.repeat(part[:1], USERS, axis=0) for part in items))
    for one, other in zip(made(user, shared), made(user, repeated), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_sharp_attention_looks_at_the_nearest_of_the_history() -> None:
    made = head()
    made.sharpness.assign(500.0)
    user, items = sides()
    nearest = np.einsum("uiw,ulw->uil", items.texts, user.texts)[0].max(axis=1)  # this user has read LENGTH items
    found = made.attention_similarity(user.texts, 0 * user.weights, items.texts)[0]
    np.testing.assert_allclose(found, nearest, atol=0.01)


@given(st.integers(0, 10**6))
def test_category_counts_are_those_of_a_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    users, length, candidates = rng.integers(1, 5, 3)
    history = rng.integers(-1, 4, (users, length)).astype(np.int32)
    items = rng.integers(-1, rng.integers(0, 6), (rng.choice([1, users]), candidates)).astype(np.int32)
    present = rng.integers(0, 2, history.shape).astype(np.float32)
    expected = np.zeros((users, candidates))
    for u in range(users):
        for i, wanted in enumerate(items[u % len(items)]):
            expected[u, i] = sum(p for p, code in zip(present[u], history[u], strict=True) if code == wanted >= 0)
    np.testing.assert_array_equal(category_counts(tf.constant(present), tf.constant(history), items), expected)


def test_category_match_by_hand() -> None:
    made = head()
    made.scale.assign(0.0)
    made.match.assign([1.0, 10.0])
    user, items = sides()
    user = user._replace(categories=tf.constant([[[0, 0], [0, 1], [1, 2], [-1, -1], [-1, -1]]] * USERS))
    wanted = [[1, 2], [-1, -1], [0, 0], [1, 3], [7, 7], [0, -1]]
    items = items._replace(categories=tf.constant([wanted] * USERS), vectors=tf.zeros_like(items.vectors))
    one, two = np.sqrt(1 / 8), np.sqrt(2 / 8)  # of five that were read
    np.testing.assert_allclose(made(user, items)[0][0], [11 * one, 0, two + 10 * one, one, 0, two], rtol=1e-5)


def test_prices_count_where_both_are_known() -> None:
    made = head()
    made.price_linear.assign(-1.0)
    made.price_square.assign(-0.5)
    found = made.price_terms(tf.constant([1.0, np.nan]), tf.constant([[3.0, 1.0, -1.0, np.nan]]))
    np.testing.assert_allclose(found, [[-2 - 2, 0, 2 - 2, 0], [0, 0, 0, 0]])


def test_unknown_prices_have_no_gradient_that_is_not_a_number() -> None:
    made = randomised(head())
    user, items = sides()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(made(user, items)[0])
    for gradient in tape.gradient(loss, [made.price_linear.value, made.price_square.value]):
        assert np.isfinite(gradient)


def test_the_price_level_is_the_mean_of_known_prices_of_what_was_of_interest() -> None:
    prices = np.array([[1, 3, np.nan], [1, 3, 8], [np.nan, 2, np.nan], [5, 5, 5]], np.float32)
    intensity = np.array([[1, 0.2, 1], [1, 1, 0], [1, 0, 1], [0, 0, 0]], np.float32)
    found = price_level(tf.constant(prices), tf.constant(intensity))
    np.testing.assert_array_equal(found, [2, 2, np.nan, np.nan])
