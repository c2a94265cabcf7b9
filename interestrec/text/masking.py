"""Masks for masked-language-model training."""

import numpy as np

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
    """Choose positions to predict; of these 80 % become [MASK], 10 % a random token, 10 % stay.

    Devlin et al. 2019, "BERT: Pre-training of Deep Bidirectional Transformers", section 3.1.

    Args:
        ids: int32 [texts, length].
        maskable: bool [texts, length], False at padding and special tokens.
        probability: share of maskable positions to predict.
        special_ids: tokens never drawn as a random replacement.
        whole_words: bool [vocabulary], True at tokens that continue a word. With it all tokens of a word are predicted
            or none, as in BERT's whole-word release of May 2019; what becomes of each is still decided by itself.
            Words are chosen with `probability`, so that of the tokens the same share is expected as without.

    Returns:
        (inputs, labels), both int32 [texts, length]; a label is the original token where it is to be
        predicted and IGNORED elsewhere.
    """
    draw = rng.random(ids.shape)
    if whole_words is not None:
        draw = np.take_along_axis(draw, _first_of_word(whole_words[ids]), axis=1)
    chosen = maskable & (draw < probability)
    kind = rng.random(ids.shape)
    ordinary = np.setdiff1d(np.arange(vocabulary_size, dtype=np.int32), np.array(special_ids, np.int32))
    replacement = ordinary[rng.integers(0, len(ordinary), ids.shape)]
    inputs = np.where(chosen & (kind < 0.8), np.int32(mask_id), ids)
    inputs = np.where(chosen & (kind >= 0.9), replacement, inputs)
    labels = np.where(chosen, ids, np.int32(IGNORED))
    return inputs.astype(np.int32), labels.astype(np.int32)


def _first_of_word(continues: np.ndarray) -> np.ndarray:
    """Column of the first token of the word that each position belongs to; int64 [texts, length].

    A text's first token starts a word whatever it is. A special token never continues one, but what continues one may
    follow it: the two share a draw, of which a special token makes no use.
    """
    return np.maximum.accumulate(np.where(continues, 0, np.arange(continues.shape[1])), axis=1)
