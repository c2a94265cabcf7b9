"""TextTask: the interface of adaptation tasks, a loss over texts with its batches and figures."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from interestrec.model.encoder import Encoder, InputEncoder
from interestrec.model.masked_lm import MaskedLmHead
from interestrec.model.next_token_head import NextTokenHead
from interestrec.pretraining.passages import Passages
from interestrec.training.engine import Arrays, Objective


class TextTask(Objective, Protocol):
    """An Objective with a single loss, its encoders, head and batches."""

    name: str  # of the loss
    encoder: Encoder
    needs_dropout: bool  # the loss is meaningless without dropout, also on held-out texts

    @property
    def towers(self) -> Sequence[InputEncoder]:
        """What encodes each side of a passage; the first is `encoder`."""

    @property
    def head(self) -> MaskedLmHead | NextTokenHead | None:
        """The trained weights of the task besides the towers; None if it has none."""

    def batch(self, passages: Passages, rows: np.ndarray, seed: list[int]) -> Arrays:
        """Return passages as arrays of `signature` with equal numbers of rows; the seed decides all randomness."""

    def figures(self, loss: float) -> dict[str, float]:
        """Return the figures to report for a mean loss."""
