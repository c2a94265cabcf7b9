"""Examples of users represented by texts: each gets a document made from its history, beside the items' texts."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from interestrec.corpus.store import Timelines
from interestrec.encoding.user_texts import documents, require_texts
from interestrec.model.encoder import EncoderInputs
from interestrec.model.two_tower_config import ItemCodes
from interestrec.text.text_inputs import TextInputs
from interestrec.training.examples import Examples
from interestrec.training.padded_histories import histories


def with_documents(
    items: EncoderInputs,
    parts: Sequence[tuple[Examples, np.ndarray]],
    timelines: Timelines,
    max_history: int,
    max_length: int,
) -> tuple[TextInputs, list[Examples]]:
    """Create the documents of examples.

    Args:
        items: encoder input of all items.
        parts: examples, and the positions of those that need a document.
        max_history: maximum number of recent events that are read.
        max_length: maximum number of tokens of a document.

    Returns:
        The input of the items followed by that of the documents, one per history; and the examples with their
        documents as rows of it, -1 if the history is empty or no document is needed.
    """
    end = np.concatenate([examples.end[rows] for examples, rows in parts])
    start = np.concatenate([examples.start[rows] for examples, rows in parts])
    omitted = np.concatenate(
        [np.full(len(rows), -1) if examples.omitted is None else examples.omitted[rows] for examples, rows in parts]
    )
    start = np.maximum(start, end - max_history - (omitted >= 0))
    ranges, range_of_row = np.unique(np.stack([start, end, omitted], axis=1), axis=0, return_inverse=True)
    item_texts = require_texts(items)
    item, intensity = histories(ranges[:, 0], ranges[:, 1], timelines, max_history, ranges[:, 2])
    begin = np.arange(len(ranges)) * item.shape[1]
    user_texts = documents(item_texts, item.ravel(), intensity.ravel(), begin, begin + item.shape[1], max_length)
    filled = user_texts.lengths > 0
    row = np.where(filled, len(items) + np.cumsum(filled) - 1, -1)[range_of_row.ravel()]
    with_texts = []
    for examples, rows in parts:
        document = np.full(len(examples), -1, np.int64)
        document[rows], row = row[: len(rows)], row[len(rows) :]
        with_texts.append(replace(examples, document=document))
    return item_texts.then(user_texts.select(np.flatnonzero(filled))), with_texts


def extend_codes(codes: ItemCodes, texts: int) -> ItemCodes:
    """Extend the codes of the items to `texts` texts; documents have missing attributes, no category and no price."""
    documents_count = texts - len(codes.categories)
    attributes = np.zeros((documents_count, codes.attributes.shape[1]), codes.attributes.dtype)
    categories = np.full((documents_count, codes.categories.shape[1]), -1, codes.categories.dtype)
    prices = np.full(documents_count, np.nan, np.float32)
    return ItemCodes(*(np.concatenate(pair) for pair in zip(codes, (attributes, categories, prices), strict=True)))
