"""The texts of all items of a corpus as input of an encoder, and the cache that keeps their vectors."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from interestrec.encoding.cache import VectorCache, cache_path
from interestrec.encoding.inputs import TextInputs, text_inputs
from interestrec.model.bert import Bert
from interestrec.text.tokenizer import load_tokenizer


def item_texts(
    bert: Bert, encoder: Path, features: pa.Table, fields: Sequence[tuple[str, int]], workspace: Path, pooling: str
) -> tuple[TextInputs, VectorCache]:
    """Token sequences of all items, and where their vectors are found and kept.

    Args:
        encoder: directory that `bert` was loaded from.
        features: table of schemas.TEXT_FEATURES.
        fields: (`title` or `text`, most tokens taken of it), in order.
    """
    tokenizer = load_tokenizer(encoder)
    longest = bert.config.longest
    inputs = text_inputs(features, fields, tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id, longest)
    return inputs, VectorCache(cache_path(workspace, encoder, pooling, longest))
