"""User inputs of the two-tower model: the items of the history, or one text composed of them."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import numpy as np

from interestrec.core import ragged
from interestrec.core.errors import ArtifactError
from interestrec.corpus.moments import USER_FEATURES, Moments
from interestrec.encoding.encoder_caches import vector_cache
from interestrec.encoding.hidden_cache import training_forward
from interestrec.encoding.text_vectors import encode
from interestrec.encoding.user_texts import documents, require_texts
from interestrec.encoding.vector_cache import keys_of
from interestrec.model.encoders import load_encoder
from interestrec.model.two_tower import History, ItemArrays, ItemCodes, TwoTower
from interestrec.model.two_tower_files import read_learned
from interestrec.scorers.requests import Requests
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.text.text_inputs import TextInputs
from interestrec.training.padded_histories import elapsed


class UserInputs(Protocol):
    """Converts requests to the user side of the two-tower model."""

    length: int  # of every padded history

    def __call__(self, requests: Requests) -> History:
        """Return the histories of requests as arrays."""


class Users:
    """What is known of users besides their histories."""

    def __init__(self, features: np.ndarray, moments: Moments | None) -> None:
        """`features` are packed, int32 [users, columns]; without `moments` nothing is known of any moment."""
        self.features = features
        self.moments = moments

    def __call__(self, requests: Requests) -> tuple[np.ndarray, np.ndarray]:
        """Return features, int32 [requests, columns], and moments, float32 [requests, USER_FEATURES]."""
        if self.moments is None:
            return self.features[requests.user], np.zeros((len(requests), USER_FEATURES), np.float32)
        return self.features[requests.user], self.moments.user_features(requests.user, requests.at)


class ItemUserInputs:
    """Represents a user by the most recent items of the history."""

    def __init__(self, items: ItemArrays, length: int, users: Users) -> None:
        self.items = items
        self.length = length
        self.users = users

    def __call__(self, requests: Requests) -> History:
        """See UserInputs."""
        end = requests.offsets[1:]
        begin = np.maximum(requests.offsets[:-1], end - self.length)
        source, inside = ragged.padded(begin, end, self.length)
        rows = np.zeros(inside.shape, np.int32)
        intensity, days = np.zeros(inside.shape, np.float32), np.zeros(inside.shape, np.float32)
        if len(requests.item):
            rows = np.where(inside, requests.item[source], 0)
            intensity = np.where(inside, requests.intensity[source], 0.0).astype(np.float32)
            days = np.where(inside, elapsed(requests.time[source], requests.at[:, None]), np.float32(0))
        items = self.items
        parts = (items.texts[rows], items.entries[rows], items.categories[rows], items.prices[rows])
        return History(*parts, intensity, days, *self.users(requests))


class TextUserInputs:
    """Represents a user by one text, the document of the history; each distinct document is encoded once."""

    length = 1

    def __init__(
        self, model: TwoTower, items: TextInputs, encode: Callable[[TextInputs], np.ndarray], users: Users
    ) -> None:
        """`items` are the texts of all items; `encode` returns vectors of texts, float32 [texts, text width]."""
        assert model.config.user_text is not None
        self.model = model
        self.items = items
        self.encode = encode
        self.users = users
        self.tokens = model.config.user_text.tokens
        self._row: dict[bytes, int] = {}
        # Of distinct documents; row 0: empty.
        self._arrays = self._encoded(np.zeros((1, model.config.text_width), np.float32))

    def __call__(self, requests: Requests) -> History:
        """See UserInputs."""
        rows = self.rows(requests)[:, None]
        read = self._arrays
        parts = (read.texts[rows], read.entries[rows], read.categories[rows], read.prices[rows])
        return History(*parts, (rows > 0).astype(np.float32), np.zeros(rows.shape, np.float32), *self.users(requests))

    def _encoded(self, vectors: np.ndarray) -> ItemArrays:
        count, columns = len(vectors), self.model.config.attributes
        width = sum(shape.columns + shape.dense for shape in columns)
        categories = np.full((count, self.model.config.levels), -1, np.int32)
        codes = ItemCodes(np.zeros((count, width), np.int32), categories, np.full(count, np.nan, np.float32))
        return self.model.item_arrays(vectors, codes)

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
            found = self._encoded(self.encode(texts.select(first[new > known])))
            self._arrays = ItemArrays(*(np.concatenate(pair) for pair in zip(self._arrays, found, strict=True)))
        return rows


def user_inputs(model: TwoTower, items: ItemArrays, users: Users, inputs: ScorerInputs | None) -> UserInputs:
    """Return the conversion of requests that the model requires.

    Raises:
        ArtifactError: users are texts, but `inputs` is None or a finetuned tensor does not match the encoder.
    """
    user = model.config.user_text
    if user is None:
        return ItemUserInputs(items, model.config.max_history, users)
    if inputs is None:
        raise ArtifactError("the model represents users by texts; loading it requires an encoder and a corpus")
    encoder = load_encoder(inputs.encoder, pooling=user.pooling, precision=user.precision)
    learned = encoder.assign_learned(read_learned(inputs.model))
    texts = encoder.item_inputs(inputs.encoder, inputs.corpus.text_features, user.fields)
    forward = training_forward(encoder, learned)
    cache = vector_cache(encoder, inputs.encoder, inputs.workspace) if forward is None else None
    encoded = partial(encode, encoder, cache=cache, forward=forward)
    text_users = TextUserInputs(model, require_texts(texts), encoded, users)
    for requests in inputs.requests:
        text_users.rows(requests)
    return text_users
