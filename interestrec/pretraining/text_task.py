"""What an encoder learns from texts alone: a loss, the batches it takes and the figures it reports."""

from typing import Protocol

import numpy as np

from interestrec.model.encoder import Encoder
from interestrec.model.masked_lm import MaskedLmHead
from interestrec.pretraining.passages import Passages
from interestrec.training.engine import Arrays, Objective


class TextTask(Objective, Protocol):
    """An Objective of one loss, with what it learns and how its batches are made."""

    name: str  # of the loss
    encoder: Encoder
    noisy: bool  # the loss says nothing without dropout, on held-out texts neither

    @property
    def head(self) -> MaskedLmHead | None:
        """Weights of its own beside the encoder's."""

    def batch(self, passages: Passages, rows: np.ndarray, seed: list[int]) -> Arrays:
        """The given passages as arrays of `signature`, each of as many rows; what is random in them is of the seed."""

    def figures(self, loss: float) -> dict[str, float]:
        """What to report of a mean loss."""
