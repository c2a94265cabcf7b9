"""Masks for masked-language-model training: 15 %, of these 80/10/10."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interestrec.text.masking import IGNORED, mask_tokens
from tests.examples import examples

MASK, SPECIAL, VOCABULARY = 4, (0, 1, 2, 3, 4), 50


CONTINUES = np.arange(VOCABULARY) >= 30  # the last 20 tokens continue a word


def masked(
    ids: np.ndarray,
    maskable: np.ndarray,
    seed: int = 0,
    probability: float = 0.15,
    whole_words: np.ndarray | None = None,
):
    rng = np.random.default_rng(seed)
    return mask_tokens(ids, maskable, rng, MASK, VOCABULARY, probability, SPECIAL, whole_words)


def words_of(ids: list[int], maskable: list[bool]) -> list[list[int]]:
    """Columns of every word of a text, one token after the other."""
    words: list[list[int]] = []
    for column, (token, can) in enumerate(zip(ids, maskable, strict=True)):
        if not can:
            continue
        if CONTINUES[token] and words and words[-1][-1] == column - 1:
            words[-1].append(column)
        else:
            words.append([column])
    return words


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


def test_masks_without_whole_words_stay_what_they_were() -> None:
    # Made by the release before whole words came.
    inputs, labels = masked(np.arange(5, 21, dtype=np.int32)[None], np.ones((1, 16), bool), seed=3, probability=0.5)
    assert inputs.tolist() == [[4, 4, 7, 8, 4, 14, 4, 4, 13, 4, 4, 16, 4, 18, 19, 20]]
    assert labels.tolist() == [[5, 6, -1, -1, 9, 10, 11, 12, -1, 14, 15, -1, 17, -1, -1, -1]]


def test_whole_words_by_hand() -> None:
    # Columns: special; a word that starts with a continuing token; a word of 3; one of 1; special; continuing; padding.
    ids = np.array([[2, 40, 41, 5, 30, 49, 6, 3, 33, 0]], np.int32)
    maskable = np.isin(ids, SPECIAL, invert=True)
    words = [(1, 2), (3, 4, 5), (6,), (8,)]
    seen = set()
    for seed in range(400):
        _, labels = masked(ids, maskable, seed, 0.5, CONTINUES)
        chosen = set(np.flatnonzero(labels[0] != IGNORED).tolist())
        assert chosen == {column for word in words if word[0] in chosen for column in word}
        seen.add(frozenset(chosen))
    assert len(seen) == 2 ** len(words)  # each word by itself


@examples(100)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.15, 0.6, 1.0]))
def test_a_word_is_predicted_whole_or_not_at_all(seed: int, probability: float) -> None:
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, VOCABULARY, (4, 12)).astype(np.int32)
    maskable = np.isin(ids, SPECIAL, invert=True) & (np.arange(12) < rng.integers(0, 13, (4, 1)))
    inputs, labels = masked(ids, maskable, seed, probability, CONTINUES)
    chosen = labels != IGNORED
    assert not chosen[~maskable].any()
    np.testing.assert_array_equal(labels[chosen], ids[chosen])
    np.testing.assert_array_equal(inputs[~chosen], ids[~chosen])
    for row in range(4):
        for word in words_of(ids[row].tolist(), maskable[row].tolist()):
            assert len(set(chosen[row, word].tolist())) == 1
    if probability in (0.0, 1.0):
        np.testing.assert_array_equal(chosen, maskable & (probability == 1.0))


@pytest.mark.parametrize("rows", [0, 3])
def test_where_nothing_continues_whole_words_change_nothing(rows: int) -> None:
    ids = np.random.default_rng(2).integers(5, VOCABULARY, (rows, 30)).astype(np.int32)
    none = np.zeros(VOCABULARY, bool)
    for one, other in zip(masked(ids, ids > 8), masked(ids, ids > 8, whole_words=none), strict=True):
        np.testing.assert_array_equal(one, other)


def test_whole_words_keep_the_share_of_tokens_and_decide_each_token_by_itself() -> None:
    ids = np.random.default_rng(1).integers(5, VOCABULARY, (3000, 50)).astype(np.int32)
    inputs, labels = masked(ids, np.ones(ids.shape, bool), whole_words=CONTINUES)
    chosen = labels != IGNORED
    assert abs(chosen.mean() - 0.15) < 0.005
    hidden = chosen & (inputs == MASK)
    assert abs(hidden.sum() / chosen.sum() - 0.8) < 0.015
    # Of neighbours in a word both are hidden in 64 of 100 cases, not in 80.
    pairs = chosen[:, :-1] & chosen[:, 1:] & CONTINUES[ids[:, 1:]]
    assert abs((hidden[:, :-1] & hidden[:, 1:])[pairs].mean() - 0.64) < 0.02
