"""The caches of what an encoder gives for texts."""

from pathlib import Path

from interestrec.encoding.hidden_cache import HiddenCache
from interestrec.encoding.vector_cache import VectorCache, cache_path
from interestrec.model.encoder import Encoder


def vector_cache(encoder: Encoder, directory: Path, workspace: Path) -> VectorCache:
    """Where vectors of texts by the encoder that was loaded from `directory` are found and kept."""
    found = cache_path(workspace, "vectors", directory, encoder.pooling, encoder.max_length, encoder.precision)
    return VectorCache(found)


def hidden_cache(encoder: Encoder, directory: Path, workspace: Path, layers: int) -> HiddenCache:
    """Where the output of the encoder's first `layers` layers is found and kept."""
    found = cache_path(workspace, "hidden", directory, f"{layers} layers", encoder.max_length, encoder.precision)
    return HiddenCache(found)
