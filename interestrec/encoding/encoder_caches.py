"""The caches of an encoder's outputs."""

from pathlib import Path

from interestrec.encoding.hidden_cache import HiddenCache
from interestrec.encoding.int8_encoder import Int8Encoder
from interestrec.encoding.vector_cache import VectorCache, cache_path
from interestrec.model.encoder import Encoder


def vector_cache(encoder: Encoder | Int8Encoder, directory: Path, workspace: Path) -> VectorCache:
    """Return the cache of text vectors of the encoder that was loaded from `directory`."""
    path = cache_path(workspace, "vectors", directory, encoder.pooling, encoder.max_length, encoder.precision)
    return VectorCache(path)


def hidden_cache(encoder: Encoder, directory: Path, workspace: Path, layers: int) -> HiddenCache:
    """Return the cache of the output of the encoder's first `layers` layers."""
    path = cache_path(workspace, "hidden", directory, f"{layers} layers", encoder.max_length, encoder.precision)
    return HiddenCache(path)
