"""Scoring of whole catalogues by the two-tower models on a GPU (`runtime.device: gpu`) rather than in NumPy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from interestrec.scorers.intensity import Intensity

if TYPE_CHECKING:
    from interestrec.scorers.requests import Scorer


def place_on_device(scorers: Iterable[Scorer], device: str, precision: str) -> None:
    """Let the models of `Intensity` among the scorers compute their logits of order of all items on a device.

    Logits of candidates, of strength and of tasks are still those of NumPy.

    Args:
        device, precision: see DeviceCatalogue.
    """
    from interestrec.model.device_catalogue import DeviceCatalogue  # it loads TensorFlow

    for scorer in scorers:
        if isinstance(scorer, Intensity):
            for model in scorer.models:
                model.catalogue = DeviceCatalogue(model.model, device, precision)
