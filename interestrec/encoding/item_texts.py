"""The texts of all items of a corpus as input of an encoder, and the caches of what it gives for them."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from interestrec.encoding.hidden_cache import HiddenCache
from interestrec.encoding.text_inputs import TextInputs, text_inputs
from interestrec.encoding.vector_cache import VectorCache, cache_path
from interestrec.model.bert import Bert
from interestrec.text.tokenizer import load_tokenizer


def item_texts(bert: Bert, encoder: Path, features: pa.Table, fields: Sequence[tuple[str, int]]) -> TextInputs:
    """Token sequences of all items.

    Args:
        encoder: directory that `bert` was loaded from.
        features: table of schemas.TEXT_FEATURES.
        fields: (`title` or `text`, most tokens taken of it), in order.
    """
    tokenizer = load_tokenizer(encoder)
    return text_inputs(features, fields, tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id, bert.config.longest)


def vector_cache(bert: Bert, encoder: Path, workspace: Path) -> VectorCache:
    """Where vectors of the encoder's texts are found and kept."""
    return VectorCache(cache_path(workspace, "vectors", encoder, bert.pooling, bert.config.longest, bert.precision))


def hidden_cache(bert: Bert, encoder: Path, workspace: Path, layers: int) -> HiddenCache:
    """Where the output of the encoder's first `layers` layers is found and kept."""
    longest, precision = bert.config.longest, bert.precision
    return HiddenCache(cache_path(workspace, "hidden", encoder, f"{layers} layers", longest, precision))
