"""Examples of users who are texts: each gets the document of its history, a text beyond those of the items."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from interestrec.corpus.store import Timelines
from interestrec.encoding.user_texts import documents, require_texts
from interestrec.model.encoder import EncoderInputs
from interestrec.model.two_tower import ItemCodes
from interestrec.text.text_inputs import TextInputs
from interestrec.training.examples import Examples


def with_documents(
    items: EncoderInputs,
    parts: Sequence[tuple[Examples, np.ndarray]],
    timelines: Timelines,
    max_history: int,
    max_length: int,
) -> tuple[TextInputs, list[Examples]]:
    """Documents of examples.

    Args:
        items: encoder input of all items.
        parts: examples, and the positions of those that need a document.
        max_history: most recent events that are read.
        max_length: tokens of a document.

    Returns:
        The input of the items and after it that of the documents, one a range of events; and the examples with their
        documents as rows of it, -1 where there is nothing to read and where none is needed.
    """
    end = np.concatenate([examples.end[chosen] for examples, chosen in parts])
    start = np.concatenate([examples.start[chosen] for examples, chosen in parts])
    start = np.maximum(start, end - max_history)
    ranges, which = np.unique(np.stack([start, end], axis=1), axis=0, return_inverse=True)
    read = require_texts(items)
    made = documents(read, timelines.item, timelines.intensity, ranges[:, 0], ranges[:, 1], max_length)
    some = made.lengths > 0
    row = np.where(some, len(items) + np.cumsum(some) - 1, -1)[which.ravel()]
    given = []
    for examples, chosen in parts:
        document = np.full(len(examples), -1, np.int64)
        document[chosen], row = row[: len(chosen)], row[len(chosen) :]
        given.append(replace(examples, document=document))
    return read.then(made.select(np.flatnonzero(some))), given


def extend_codes(codes: ItemCodes, texts: int) -> ItemCodes:
    """The codes of the items, and of so many texts in all: missing attributes and no category beyond the items."""
    more = texts - len(codes.categories)
    attributes = np.zeros((more, codes.attributes.shape[1]), codes.attributes.dtype)
    categories = np.full((more, codes.categories.shape[1]), -1, codes.categories.dtype)
    return ItemCodes(np.concatenate([codes.attributes, attributes]), np.concatenate([codes.categories, categories]))
