"""The forward pass of NextItem over exported weights, without TensorFlow, for scoring."""

from __future__ import annotations

from collections.abc import Mapping

from interestrec.core import ragged
from interestrec.core.deferred_import import np, sparse
from interestrec.core.row_products import one_blas_thread
from interestrec.model.causal_blocks import block_weights, causal_block, layer_norm


class NextItemArrays:
    """A trained NextItem."""

    def __init__(self, weights: Mapping[str, np.ndarray], heads: int) -> None:
        """`weights` are those of `NextItem.export_weights`."""
        self.weights = weights
        self.blocks = block_weights(weights, ".")
        self.heads = heads

    @one_blas_thread()
    def last_outputs(self, items: np.ndarray, step: np.ndarray, gaps: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Return what is expected after step `last`, int [histories], of each history: float32 [histories, width].

        The bits of a history depend on it and on the padded length alone. Other arguments are those of
        `NextItem.call`.
        """
        histories, length = gaps.shape
        weights = self.weights
        offsets = ragged.from_owner(step, histories * length)
        size = np.maximum(np.diff(offsets), 1).astype(np.float32)
        shape = (histories * length, len(weights["items"]))
        sets = sparse.csr_matrix((np.ones(len(items), np.float32), items, offsets), shape=shape)
        x = ((sets @ weights["items"]) / size[:, None]).reshape(histories, length, -1)
        x += weights["positions"][:length] + weights["gaps"][gaps]
        for number, block in enumerate(self.blocks, 1):
            x = causal_block(x, block, self.heads, last if number == len(self.blocks) else None)
        return layer_norm(x[:, 0], weights["gamma"], weights["beta"])
