"""What a user's history is to the two-tower model: the items of it, or one text."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import numpy as np

from interestrec.core import ragged
from interestrec.core.errors import ArtifactError
from interestrec.encoding.hidden_cache import as_trained
from interestrec.encoding.item_texts import item_texts, vector_cache
from interestrec.encoding.text_inputs import TextInputs
from interestrec.encoding.text_vectors import encode
from interestrec.encoding.user_texts import documents
from interestrec.encoding.vector_cache import keys_of
from interestrec.model.encoder_checkpoint import assign_learned, load_bert
from interestrec.model.two_tower import TowerSide, TwoTower, read_learned
from interestrec.scorers.requests import Requests, ScorerInputs


class UserInputs(Protocol):
    """One side of the head, from requests."""

    length: int  # of every history

    def __call__(self, requests: Requests) -> tuple[TowerSide, np.ndarray]:
        """Items [requests, length], and their intensities float32, 0 at padding."""


class ItemUserInputs:
    """The most recent items."""

    def __init__(self, vectors: np.ndarray, categories: np.ndarray, length: int) -> None:
        self.vectors = vectors
        self.categories = categories
        self.length = length

    def __call__(self, requests: Requests) -> tuple[TowerSide, np.ndarray]:
        """See Histories."""
        items, intensity = self._recent(requests)
        return TowerSide(self.vectors[items], self.categories[items]), intensity

    def _recent(self, requests: Requests) -> tuple[np.ndarray, np.ndarray]:
        end = requests.offsets[1:]
        begin = np.maximum(requests.offsets[:-1], end - self.length)
        source, inside = ragged.padded(begin, end, self.length)
        if len(requests.item) == 0:
            return np.zeros(inside.shape, np.int32), np.zeros(inside.shape, np.float32)
        items = np.where(inside, requests.item[source], 0)
        return items, np.where(inside, requests.intensity[source], 0.0).astype(np.float32)


class TextUserInputs:
    """One text, the document of the history; each distinct one is encoded when it is first met."""

    length = 1

    def __init__(self, model: TwoTower, items: TextInputs, encoded: Callable[[TextInputs], np.ndarray]) -> None:
        """`items` are the texts of all items, `encoded` gives vectors of texts, float32 [texts, width]."""
        assert model.config.user_text is not None
        self.model = model
        self.items = items
        self.encoded = encoded
        self.tokens = model.config.user_text.tokens
        self._row: dict[bytes, int] = {}
        self._vectors = np.zeros((1, model.config.width), np.float32)  # of what was met; row 0 is no text

    def __call__(self, requests: Requests) -> tuple[TowerSide, np.ndarray]:
        """See Histories."""
        rows = self.read(requests)[:, None]
        none = np.full((*rows.shape, self.model.config.levels), -1, np.int32)
        return TowerSide(self._vectors[rows], none), (rows > 0).astype(np.float32)

    def read(self, requests: Requests) -> np.ndarray:
        """The rows of the requests' documents, int64 [requests], 0 where there is nothing to read."""
        end = requests.offsets[1:]
        start = np.maximum(requests.offsets[:-1], end - self.model.config.max_history)
        made = documents(self.items, requests.item, requests.intensity, start, end, self.tokens)
        some = np.flatnonzero(made.lengths)
        made = made.select(some)
        known = len(self._row)
        found = [self._row.setdefault(key, len(self._row) + 1) for key in keys_of(made).to_pylist()]
        rows = np.zeros(len(requests), np.int64)
        rows[some] = found
        if len(self._row) > known:
            new, first = np.unique(rows[some], return_index=True)
            vectors = self.encoded(made.select(first[new > known]))
            codes = np.zeros((len(vectors), len(self.model.item_tower.attribute_of_column)), np.int32)
            self._vectors = np.concatenate([self._vectors, self.model.item_vectors(vectors, codes)])
        return rows


def user_inputs(
    model: TwoTower, vectors: np.ndarray, categories: np.ndarray, reading: ScorerInputs | None
) -> UserInputs:
    """What the model takes for histories.

    Raises:
        ArtifactError: users are texts, and there is nothing to read them with, or a tuned tensor does not fit.
    """
    user = model.config.user_text
    if user is None:
        return ItemUserInputs(vectors, categories, model.config.max_history)
    if reading is None:
        raise ArtifactError("users of this model are texts: an encoder and a corpus are needed to read them")
    bert = load_bert(reading.encoder, pooling=user.pooling, precision=user.precision)
    learned = assign_learned(bert, read_learned(reading.model))
    items = item_texts(bert, reading.encoder, reading.corpus.text_features, user.fields)
    forward = as_trained(bert, learned)
    cache = vector_cache(bert, reading.encoder, reading.workspace) if forward is None else None
    read = TextUserInputs(model, items, partial(encode, bert, cache=cache, forward=forward))
    for requests in reading.requests:
        read.read(requests)
    return read
