"""User vectors: by hand, empty histories, and transformer blocks that look back only."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from interestrec.model.history_tower import HistoryTower
from tests.model.towers import LENGTH, USER_FEATURES_SHAPES, WIDTH, randomised, users

ASKED = users()
ENTRIES = np.random.default_rng(4).normal(size=(4, LENGTH, WIDTH)).astype(np.float32)
GIVEN = (ASKED["intensity"], ASKED["days"], ASKED["features"])


def layer(blocks: int = 0, rate: float = 0.0, features: tuple = USER_FEATURES_SHAPES) -> HistoryTower:
    made = HistoryTower(WIDTH, rate, features, blocks, LENGTH, name="user_tower")
    made.build()
    return made


def gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def by_hand(made: HistoryTower) -> np.ndarray:
    """The formula of the class, user by user and entry by entry."""
    attention, forgetting, days_weight = (
        made.attention.numpy()[:, 0],
        float(made.forgetting),
        float(made.forgetting_days),
    )
    found = []
    for entries, intensity, days, features in zip(ENTRIES, *GIVEN, strict=True):
        rows = [j for j in range(LENGTH) if intensity[j] > 0]
        share = np.array(
            [
                intensity[j]
                * np.exp(attention @ entries[j] - days_weight * days[j])
                / (1 + sum(k > j for k in rows)) ** forgetting
                for j in rows
            ]
        )
        mean = (share / share.sum()) @ entries[rows] if rows else made.empty.numpy()
        r = mean + made.features.tables[0].numpy()[features[0]]
        inner = gelu(r @ made.first.kernel.numpy() + made.first.bias.numpy())
        found.append(r + inner @ made.second.kernel.numpy())
    return np.stack(found)


def test_the_vectors_by_hand() -> None:
    made = randomised(layer())
    np.testing.assert_allclose(made(ENTRIES, *GIVEN), by_hand(made), rtol=1e-5, atol=1e-6)


def test_a_new_tower_is_the_mean_by_intensity_and_recency() -> None:
    made = layer()
    weight = ASKED["intensity"][0] * np.exp(-0.5 * ASKED["days"][0])
    found = made(ENTRIES, *GIVEN).numpy()
    np.testing.assert_allclose(found[0], weight @ ENTRIES[0] / weight.sum(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[1], ENTRIES[1, 0], rtol=1e-5)
    np.testing.assert_array_equal(found[2], np.zeros(WIDTH))


@pytest.mark.parametrize("blocks", [0, 2])
def test_padding_changes_nothing(blocks: int) -> None:
    made = randomised(layer(blocks))
    longer = np.concatenate([ENTRIES, np.full((4, 3, WIDTH), 9, np.float32)], axis=1)
    padded = [np.pad(part, ((0, 0), (0, 3))) for part in GIVEN[:2]]
    expected = made(ENTRIES, *GIVEN)
    np.testing.assert_allclose(made(longer, *padded, GIVEN[2]), expected, rtol=1e-5, atol=1e-6)
    # What stands in padding is never read either.
    other = np.where(ASKED["intensity"][:, :, None] > 0, ENTRIES, -7.0)
    np.testing.assert_allclose(made(other, *GIVEN), expected, rtol=1e-5, atol=1e-6)


def in_order(made: HistoryTower, entries: np.ndarray, days: np.ndarray) -> np.ndarray:
    later = np.arange(LENGTH, dtype=np.float32)[::-1]
    return made._in_order(
        tf.constant(entries), tf.constant(days), tf.constant(np.tile(later, (len(entries), 1))), None
    ).numpy()


@pytest.mark.parametrize("place", range(1, LENGTH))
def test_blocks_look_back_only(place: int) -> None:
    made = randomised(layer(2))
    before = in_order(made, ENTRIES, ASKED["days"])
    changed, later = ENTRIES.copy(), ASKED["days"].copy()
    changed[:, place] += 1
    later[:, place] += 1
    after = in_order(made, changed, later)
    np.testing.assert_array_equal(after[:, :place], before[:, :place])
    assert (np.abs(after[:, place:] - before[:, place:]).max(axis=2) > 1e-4).all()


def test_the_place_is_counted_from_the_end() -> None:
    made = layer(1)
    made.places.assign(np.arange(LENGTH)[:, None] * np.ones(WIDTH))
    made.blocks = []  # the vectors of the places alone
    found = made._in_order(tf.zeros((1, 3, WIDTH)), tf.zeros((1, 3)), tf.constant([[2.0, 1.0, 0.0]]), None)
    np.testing.assert_array_equal(found[0, :, 0], [2, 1, 0])


def test_the_order_of_a_history_matters_with_blocks_alone() -> None:
    one = np.ones((1, LENGTH), np.float32)
    given = (one, np.zeros((1, LENGTH), np.float32), np.zeros((1, 1), np.int32))
    for blocks in (0, 2):
        made: Any = randomised(layer(blocks))
        made.forgetting.assign(0.0)
        forth, back = (made(e, *given).numpy() for e in (ENTRIES[:1], ENTRIES[:1, ::-1]))
        assert np.allclose(forth, back, atol=1e-4) == (blocks == 0)


def test_dropout_is_for_training_alone() -> None:
    made = randomised(layer(1, rate=0.5))
    np.testing.assert_array_equal(made(ENTRIES, *GIVEN), made(ENTRIES, *GIVEN))
    noisy = [made(ENTRIES, *GIVEN, noise=tf.constant([7, seed])).numpy() for seed in (1, 1, 2)]
    np.testing.assert_array_equal(noisy[0], noisy[1])
    assert not np.array_equal(noisy[0], noisy[2])
