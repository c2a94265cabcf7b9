"""User inputs of the two-tower model: the items of the history, or one text composed of them."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import numpy as np

from interestrec.core import ragged
from interestrec.core.errors import ArtifactError
from interestrec.encoding.encoder_caches import vector_cache
from interestrec.encoding.hidden_cache import training_forward
from interestrec.encoding.text_vectors import encode
from interestrec.encoding.user_texts import documents, require_texts
from interestrec.encoding.vector_cache import keys_of
from interestrec.model.encoders import load_encoder
from interestrec.model.two_tower import TowerSide, TwoTower, read_learned
from interestrec.scorers.requests import Requests
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.text.text_inputs import TextInputs


class UserInputs(Protocol):
    """Converts requests to the user side of the two-tower model."""

    length: int  # of every padded history

    def __call__(self, requests: Requests) -> tuple[TowerSide, np.ndarray]:
        """Return history entries [requests, length] and their intensities, float32 [requests, length], 0 at padding."""


class ItemUserInputs:
    """Represents a user by the most recent items of the history."""

    def __init__(self, vectors: np.ndarray, categories: np.ndarray, length: int) -> None:
        self.vectors = vectors
        self.categories = categories
        self.length = length

    def __call__(self, requests: Requests) -> tuple[TowerSide, np.ndarray]:
        """See UserInputs."""
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
    """Represents a user by one text, the document of the history; each distinct document is encoded once."""

    length = 1

    def __init__(self, model: TwoTower, items: TextInputs, encode: Callable[[TextInputs], np.ndarray]) -> None:
        """`items` are the texts of all items; `encode` returns vectors of texts, float32 [texts, width]."""
        assert model.config.user_text is not None
        self.model = model
        self.items = items
        self.encode = encode
        self.tokens = model.config.user_text.tokens
        self._row: dict[bytes, int] = {}
        self._vectors = np.zeros((1, model.config.width), np.float32)  # of distinct documents; row 0: empty

    def __call__(self, requests: Requests) -> tuple[TowerSide, np.ndarray]:
        """See UserInputs."""
        rows = self.rows(requests)[:, None]
        none = np.full((*rows.shape, self.model.config.levels), -1, np.int32)
        return TowerSide(self._vectors[rows], none), (rows > 0).astype(np.float32)

    def rows(self, requests: Requests) -> np.ndarray:
        """Return the vector row of each request's document, int64 [requests], 0 if empty; encode new documents."""
        end = requests.offsets[1:]
        start = np.maximum(requests.offsets[:-1], end - self.model.config.max_history)
        texts = documents(self.items, requests.item, requests.intensity, start, end, self.tokens)
        some = np.flatnonzero(texts.lengths)
        texts = texts.select(some)
        known = len(self._row)
        row_of_text = [self._row.setdefault(key, len(self._row) + 1) for key in keys_of(texts).to_pylist()]
        rows = np.zeros(len(requests), np.int64)
        rows[some] = row_of_text
        if len(self._row) > known:
            new, first = np.unique(rows[some], return_index=True)
            vectors = self.encode(texts.select(first[new > known]))
            codes = np.zeros((len(vectors), len(self.model.item_tower.attribute_of_column)), np.int32)
            self._vectors = np.concatenate([self._vectors, self.model.item_vectors(vectors, codes)])
        return rows


def user_inputs(
    model: TwoTower, vectors: np.ndarray, categories: np.ndarray, inputs: ScorerInputs | None
) -> UserInputs:
    """Return the conversion of requests that the model requires.

    Raises:
        ArtifactError: users are texts, but `inputs` is None or a finetuned tensor does not match the encoder.
    """
    user = model.config.user_text
    if user is None:
        return ItemUserInputs(vectors, categories, model.config.max_history)
    if inputs is None:
        raise ArtifactError("the model represents users by texts; loading it requires an encoder and a corpus")
    encoder = load_encoder(inputs.encoder, pooling=user.pooling, precision=user.precision)
    learned = encoder.assign_learned(read_learned(inputs.model))
    items = encoder.item_inputs(inputs.encoder, inputs.corpus.text_features, user.fields)
    forward = training_forward(encoder, learned)
    cache = vector_cache(encoder, inputs.encoder, inputs.workspace) if forward is None else None
    text_users = TextUserInputs(model, require_texts(items), partial(encode, encoder, cache=cache, forward=forward))
    for requests in inputs.requests:
        text_users.rows(requests)
    return text_users
