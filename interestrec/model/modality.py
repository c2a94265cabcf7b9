"""A modality of items: what one encoder reads of them."""

from collections.abc import Sequence
from typing import NamedTuple

from interestrec.core.deferred_import import np


class Modality(NamedTuple):
    """The name of the encoder and the width of its vectors."""

    name: str
    width: int


def unit_blocks(vectors: np.ndarray, modalities: Sequence[Modality]) -> np.ndarray:
    """Return the vectors of each modality with norm 1, side by side, over √n for the n modalities of each item.

    So the norm of a row is 1, and the product of two rows is a mean of cosines. With fewer than two modalities the
    vectors are returned as they are.

    Args:
        vectors: float32 [items, sum of widths], 0 where an item lacks a modality.
    """
    if len(modalities) < 2:
        return vectors
    units = np.empty(vectors.shape, np.float32)
    present = np.zeros(len(vectors), np.float32)
    start = 0
    for _, width in modalities:
        block = vectors[:, start : start + width]
        norms = np.linalg.norm(block, axis=1, keepdims=True)
        units[:, start : start + width] = block / np.where(norms > 0, norms, 1.0)
        present += norms[:, 0] > 0
        start += width
    units /= np.sqrt(np.maximum(present, 1.0))[:, None]
    return units
