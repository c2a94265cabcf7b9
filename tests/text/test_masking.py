"""Masks for masked-language-model training: 15 %, of these 80/10/10."""

import numpy as np

from interestrec.text.masking import IGNORED, mask_tokens

MASK, SPECIAL, VOCABULARY = 4, (0, 1, 2, 3, 4), 50


def masked(ids: np.ndarray, maskable: np.ndarray, seed: int = 0, probability: float = 0.15):
    return mask_tokens(ids, maskable, np.random.default_rng(seed), MASK, VOCABULARY, probability, SPECIAL)


def test_shares_and_labels() -> None:
    ids = np.random.default_rng(1).integers(5, VOCABULARY, (2000, 50)).astype(np.int32)
    maskable = np.ones(ids.shape, bool)
    maskable[:, 40:] = False
    inputs, labels = masked(ids, maskable)
    chosen = labels != IGNORED
    assert inputs.dtype == labels.dtype == np.int32
    assert not chosen[:, 40:].any()
    np.testing.assert_array_equal(labels[chosen], ids[chosen])
    np.testing.assert_array_equal(inputs[~chosen], ids[~chosen])
    n = chosen.sum()
    assert abs(n / maskable.sum() - 0.15) < 0.005
    to_mask, kept = (inputs[chosen] == MASK).sum(), (inputs[chosen] == ids[chosen]).sum()
    assert abs(to_mask / n - 0.8) < 0.015
    # One in 45 random tokens is the original one.
    assert abs(kept / n - (0.1 + 0.1 / 45)) < 0.015


def test_random_replacements_are_never_special_and_reach_every_other_token() -> None:
    ids = np.full((400, 100), 7, np.int32)
    inputs, labels = masked(ids, np.ones(ids.shape, bool), probability=0.99)
    replaced = inputs[(labels != IGNORED) & (inputs != MASK) & (inputs != ids)]
    assert set(np.unique(replaced)) == set(range(5, VOCABULARY)) - {7}


def test_one_seed_one_mask() -> None:
    ids = np.full((8, 16), 9, np.int32)
    for one, again in zip(masked(ids, ids > 0), masked(ids, ids > 0), strict=True):
        np.testing.assert_array_equal(one, again)
    assert (masked(ids, ids > 0)[1] != masked(ids, ids > 0, seed=1)[1]).any()
