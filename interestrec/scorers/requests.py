"""What a scorer is asked: requests with their histories, and lists of candidates."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from interestrec.core import ragged
from interestrec.core.errors import ArtifactError
from interestrec.corpus.store import Corpus
from interestrec.io import artifact_files, files


@dataclass(frozen=True)
class Events:
    """Interactions a scorer is fitted on."""

    user: np.ndarray  # int32 [n]
    item: np.ndarray  # int32 [n]
    intensity: np.ndarray  # float32 [n]
    time: np.ndarray  # int64 [n], microseconds, store.NO_TIME where null
    n_users: int
    n_items: int


@dataclass(frozen=True)
class Labels:
    """Known intensities, 0 for what was shown and ignored, that a scorer of intensities is fitted on."""

    user: np.ndarray  # int32 [n]
    item: np.ndarray  # int32 [n]
    label: np.ndarray  # float32 [n] in [0, 1]
    n_users: int
    n_items: int


@dataclass(frozen=True)
class Requests:
    """Users as known when they ask: request r's history is `item[offsets[r]:offsets[r + 1]]`, oldest first."""

    user: np.ndarray  # int32 [requests]
    offsets: np.ndarray  # int64 [requests + 1]
    item: np.ndarray  # int32 [total]
    intensity: np.ndarray  # float32 [total]
    time: np.ndarray  # int64 [total], microseconds, store.NO_TIME where null

    def __len__(self) -> int:
        return len(self.user)

    @property
    def owner(self) -> np.ndarray:
        """int64 [total]: the request of each history entry."""
        return ragged.owner(self.offsets)

    def block(self, start: int, stop: int) -> "Requests":
        """The requests `start` to `stop`, exclusive."""
        stop = min(stop, len(self))
        first, last = self.offsets[start], self.offsets[stop]
        offsets = self.offsets[start : stop + 1] - first
        rows = slice(first, last)
        return Requests(self.user[start:stop], offsets, self.item[rows], self.intensity[rows], self.time[rows])


@dataclass(frozen=True)
class ScorerInputs:
    """What scorers read beside events: the model, the corpus, and, where users are texts, the encoder."""

    model: Path  # artifact
    encoder: Path  # artifact, the one that the model was trained on
    corpus: Corpus
    workspace: Path  # where vectors are cached
    requests: Iterable[Requests]  # that are known to come: their texts are encoded together, ahead

    @cached_property
    def frozen_vectors(self) -> np.ndarray:
        """Vectors of the items' texts by the encoder as it came from adaptation: float32 [items, width].

        Raises:
            ArtifactError: the model has none for this corpus.
        """
        vectors = files.read_safetensors(self.model / artifact_files.ITEM_VECTORS).get("frozen")
        if vectors is None or len(vectors) != self.corpus.items.num_rows:
            raise ArtifactError(f"{self.model}: item_vectors.safetensors does not fit the corpus; run finetune again")
        return vectors


class Scorer(Protocol):
    """Anything that can score items for requests: baselines, components, the intensity model.

    Scores are comparable within a request only, higher is better, and finite.
    """

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items]: a score for every item of the corpus. Call it with a bounded block."""

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]: request r's candidates are `item[offsets[r]:offsets[r + 1]]`."""
