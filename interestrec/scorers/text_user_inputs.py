"""User inputs of a two-tower model that represents users by texts; they require the encoder, and so TensorFlow."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from interestrec.core import ragged
from interestrec.corpus.feature_codes import packed_width
from interestrec.encoding.encoder_caches import vector_cache
from interestrec.encoding.hidden_cache import training_forward
from interestrec.encoding.text_vectors import encode
from interestrec.encoding.user_texts import documents, require_texts
from interestrec.encoding.vector_cache import keys_of
from interestrec.model.encoders import load_encoder
from interestrec.model.two_tower import TwoTower
from interestrec.model.two_tower_config import ItemArrays, ItemCodes
from interestrec.model.two_tower_files import load_two_tower, read_learned
from interestrec.model.user_arrays import UserHistories
from interestrec.scorers.requests import Requests
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scorers.user_inputs import KnownUsers
from interestrec.text.text_inputs import TextInputs


class TextUserInputs:
    """Represents a user by one text, the document of the history; each distinct document is encoded once."""

    length = 1

    def __init__(
        self, model: TwoTower, items: TextInputs, encode: Callable[[TextInputs], np.ndarray], users: KnownUsers
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

    def __call__(self, requests: Requests) -> UserHistories:
        """See UserInputs."""
        rows = self.rows(requests)
        row = rows[rows > 0]
        ones, recent = np.ones(len(row), np.float32), np.zeros(len(row), np.float32)
        return UserHistories(self._arrays, ragged.from_lengths(rows > 0), row, ones, recent, *self.users(requests))

    def _encoded(self, vectors: np.ndarray) -> ItemArrays:
        count, width = len(vectors), packed_width(self.model.config.attributes)
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


def text_user_inputs(path: Path, users: KnownUsers, inputs: ScorerInputs) -> TextUserInputs:
    """Return the conversion of requests that a model of texts requires, with the texts of upcoming requests encoded.

    Args:
        path: directory of the model, `inputs.model` or one of its members.

    Raises:
        ArtifactError: a finetuned tensor does not match the encoder.
    """
    model = load_two_tower(path)
    user = model.config.user_text
    assert user is not None
    encoder = load_encoder(inputs.encoder, pooling=user.pooling, precision=user.precision)
    learned = encoder.assign_learned(read_learned(path))
    texts = encoder.item_inputs(inputs.encoder, inputs.corpus.text_features(inputs.encoder), user.fields)
    forward = training_forward(encoder, learned)
    cache = vector_cache(encoder, inputs.encoder, inputs.workspace) if forward is None else None
    encoded = partial(encode, encoder, cache=cache, forward=forward)
    text_users = TextUserInputs(model, require_texts(texts), encoded, users)
    for requests in inputs.requests:
        text_users.rows(requests)
    return text_users
