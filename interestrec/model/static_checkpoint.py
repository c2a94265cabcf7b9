"""Tables of token embeddings (Tulkens and van Dongen 2024, Model2Vec; Miller 2024, WordLlama): reading and checking."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from interestrec.core.errors import ArtifactError
from interestrec.io import files
from interestrec.io.encoder_files import CONFIG, WEIGHTS, pick_model_type, read_encoder_config
from interestrec.model.static_encoder import StaticEncoder

_WEIGHTS, _MAPPING = "weights", "mapping"  # of Model2Vec: a factor per token, and the row of each token
_MAX_TOKENS = 1 << 20  # of a text, if config.json sets no limit


class StaticLayout(NamedTuple):
    """How a kind of table is stored, and how texts are read with it."""

    table: str  # name of the tensor
    skips_unknown: bool  # whether the unknown token is left out of the mean
    normalises: bool  # whether vectors have length 1 if config.json does not say


STATIC_LAYOUTS = {
    "model2vec": StaticLayout("embeddings", skips_unknown=True, normalises=False),
    "wordllama": StaticLayout("embedding.weight", skips_unknown=False, normalises=False),
}


@dataclass(frozen=True)
class StaticCheckpoint:
    """A StoredEncoder of a table of token embeddings."""

    layout: StaticLayout
    normalises: bool
    max_tokens: int
    tensors: dict[str, np.ndarray]

    def build(self, rate: float = 0.1, pooling: str = "mean", precision: str = "float32") -> StaticEncoder:
        """See StoredEncoder."""
        return StaticEncoder(self.rows(), self.layout, self.normalises, self.max_tokens, rate, pooling, precision)

    def rows(self) -> np.ndarray:
        """Return the row of every token times the token's weight, float32 [vocabulary, width]."""
        rows = self.tensors[self.layout.table].astype(np.float32)
        if (mapping := self.tensors.get(_MAPPING)) is not None:
            rows = rows[mapping]
        if (weights := self.tensors.get(_WEIGHTS)) is not None:
            rows = rows * weights.astype(np.float32)[:, None]
        return rows

    def stored(self, learned: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See StoredEncoder; rows that were learned contain the weights of the tokens, which are omitted then."""
        merged = {_MAPPING, _WEIGHTS} if learned else set()
        return {**{name: value for name, value in self.tensors.items() if name not in merged}, **learned}


def read_static(directory: Path) -> StaticCheckpoint:
    """Read a table of token embeddings.

    Raises:
        InputMissingError: the directory or a file is missing.
        ArtifactError: a tensor is missing, misshapen or not finite, or a value of `config.json` is not valid.
    """
    path, config = directory / WEIGHTS, read_encoder_config(directory)
    layout = pick_model_type(STATIC_LAYOUTS, config, directory / CONFIG)
    tensors = files.read_safetensors(path)
    table = tensors.get(layout.table)
    if table is None or table.ndim != 2 or not table.size or not np.issubdtype(table.dtype, np.floating):
        raise ArtifactError(f"{path}: has no tensor '{layout.table}' of token vectors; fetch the encoder again")
    tokens = len(table)
    if (mapping := tensors.get(_MAPPING)) is not None:
        if mapping.ndim != 1 or not np.issubdtype(mapping.dtype, np.integer) or not _within(mapping, tokens):
            raise ArtifactError(f"{path}: tensor '{_MAPPING}' does not name rows of '{layout.table}'; fetch it again")
        tokens = len(mapping)
    weights = tensors.get(_WEIGHTS)
    if weights is not None and weights.shape != (tokens,):
        raise ArtifactError(
            f"{path}: tensor '{_WEIGHTS}' has shape {weights.shape} for {tokens} tokens; fetch the encoder again"
        )
    for name, tensor in ((layout.table, table), (_WEIGHTS, weights)):
        if tensor is not None and not np.isfinite(tensor).all():
            raise ArtifactError(f"{path}: tensor '{name}' has values that are not finite; fetch it again")
    normalises, longest = config.get("normalize", layout.normalises), config.get("seq_length") or _MAX_TOKENS
    if not isinstance(normalises, bool) or not isinstance(longest, int) or longest < 1:
        raise ArtifactError(
            f"{directory / CONFIG}: normalize must be true or false, and seq_length a whole number above 0; "
            "fetch it again"
        )
    return StaticCheckpoint(layout, normalises, min(longest, _MAX_TOKENS), tensors)


def _within(rows: np.ndarray, count: int) -> bool:
    return not len(rows) or (int(rows.min()) >= 0 and int(rows.max()) < count)
