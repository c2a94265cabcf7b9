"""Masks of masked-language-model training."""

import numpy as np

from interestrec.text.masking import IGNORED, mask_tokens

MASK, VOCABULARY, SPECIAL = 4, 1000, (0, 1, 2, 3, 4)


def masked(seed: int = 0, probability: float = 0.15) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(3)
    ids = rng.integers(5, VOCABULARY, (400, 64)).astype(np.int32)
    maskable = rng.random(ids.shape) < 0.9
    ids[~maskable] = 0
    inputs, labels = mask_tokens(ids, maskable, np.random.default_rng(seed), MASK, VOCABULARY, probability, SPECIAL)
    return ids, maskable, inputs, labels


def test_shares_are_15_and_80_10_10() -> None:
    ids, maskable, inputs, labels = masked()
    chosen = labels != IGNORED
    assert abs(chosen.sum() / maskable.sum() - 0.15) < 0.01
    assert abs((inputs[chosen] == MASK).mean() - 0.8) < 0.02
    assert abs((inputs[chosen] == ids[chosen]).mean() - 0.1) < 0.02


def test_only_maskable_positions_change_and_labels_are_the_originals() -> None:
    ids, maskable, inputs, labels = masked()
    chosen = labels != IGNORED
    assert not (chosen & ~maskable).any()
    np.testing.assert_array_equal(labels[chosen], ids[chosen])
    np.testing.assert_array_equal(inputs[~chosen], ids[~chosen])


def test_replacements_are_never_special_and_depend_on_the_generator_alone() -> None:
    ids, _, inputs, labels = masked()
    replaced = (labels != IGNORED) & (inputs != MASK) & (inputs != ids)
    assert replaced.any()
    assert not np.isin(inputs[replaced], SPECIAL).any()
    np.testing.assert_array_equal(inputs, masked()[2])
    assert (inputs != masked(seed=1)[2]).any()
