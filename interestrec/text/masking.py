"""Masking of tokens for masked language modelling."""

from __future__ import annotations

from interestrec.core.deferred_import import np

IGNORED = -1  # label of a position that is not predicted


def mask_tokens(
    ids: np.ndarray,
    maskable: np.ndarray,
    rng: np.random.Generator,
    mask_id: int,
    vocabulary_size: int,
    probability: float,
    special_ids: tuple[int, ...] = (),
    whole_words: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Select positions to predict; of these 80 % become [MASK], 10 % a random token, and 10 % stay unchanged.

    Devlin et al. 2019, "BERT: Pre-training of Deep Bidirectional Transformers", section 3.1.

    Args:
        ids: int32 [texts, length].
        maskable: bool [texts, length], False at padding and special tokens.
        probability: share of maskable positions to predict.
        special_ids: tokens that never occur as a random replacement.
        whole_words: bool [vocabulary], True at tokens that continue a word. If set, all tokens of a word are predicted
            or none, as in BERT's whole-word release of May 2019; the replacement of each token stays independent. Words
            are selected with `probability`, so the expected share of predicted tokens is the same.

    Returns:
        (inputs, labels), both int32 [texts, length]; labels are the original token at positions to predict and IGNORED
        elsewhere.
    """
    draw = rng.random(ids.shape)
    if whole_words is not None:
        draw = np.take_along_axis(draw, _first_of_word(whole_words[ids]), axis=1)
    selected = maskable & (draw < probability)
    kind = rng.random(ids.shape)
    ordinary = np.setdiff1d(np.arange(vocabulary_size, dtype=np.int32), np.array(special_ids, np.int32))
    replacement = ordinary[rng.integers(0, len(ordinary), ids.shape)]
    inputs = np.where(selected & (kind < 0.8), np.int32(mask_id), ids)
    inputs = np.where(selected & (kind >= 0.9), replacement, inputs)
    labels = np.where(selected, ids, np.int32(IGNORED))
    return inputs.astype(np.int32), labels.astype(np.int32)


def _first_of_word(continues: np.ndarray) -> np.ndarray:
    """Return the column of the first token of the word at each position; int64 [texts, length].

    The first token of a text always starts a word. A continuation token after a special token shares the draw of the
    special token, which is itself never masked.
    """
    return np.maximum.accumulate(np.where(continues, 0, np.arange(continues.shape[1])), axis=1)
