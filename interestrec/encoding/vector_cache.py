"""Vectors of texts already encoded, on disk: found by what was encoded, whatever corpus or run it came from.

A text's vector depends on its tokens and on the encoder alone (see `inputs.batches`), so a vector from the cache is
the vector that encoding again would give, to the last bit. One directory holds one encoder's vectors in shards,
each written aside and renamed: several processes may write, and a killed one leaves whole shards to go on from.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core.errors import ArtifactError, InputMissingError
from interestrec.core.progress import log
from interestrec.io import commit, files, schemas
from interestrec.io.encoder_files import CONFIG, WEIGHTS
from interestrec.model.backend import tf
from interestrec.model.encoder import EncoderInputs

_ARITHMETIC = 1  # raise it with every change to the encoder's code that may move a bit of a vector
_SUFFIX = ".parquet"


def cache_path(workspace: Path, kind: str, encoder: Path, of: str, longest: int, precision: str) -> Path:
    """Directory of what an encoder gives for texts, named by all that decides it beside the text.

    Args:
        kind: `vectors` of texts or `hidden` states of their tokens.
        encoder: directory in Hugging Face layout.
        of: the pooling that gives the vectors, or the layers that give the states.
        longest: positions that a text may take, special tokens included.
        precision: what matrices are multiplied in.
    """
    content = {
        "config": files.sha256_of(encoder / CONFIG),
        "weights": files.sha256_of(encoder / WEIGHTS),
        "of": of,
        "longest": longest,
        "numeric": [precision, bool(tf.config.get_visible_devices("GPU")), tf.__version__, _ARITHMETIC],
    }
    return workspace / "cache" / kind / files.sha256_of_json(content)[:24]


def keys_of(inputs: EncoderInputs) -> pa.Array:
    """The key of each input, fixed_size_binary(16) [inputs]."""
    return pa.array(inputs.keys(), schemas.VECTOR_KEY)


@dataclass(frozen=True)
class VectorCache:
    """The shards of one encoder below a directory, which need not exist yet."""

    directory: Path

    def load(self, keys: pa.Array, width: int) -> tuple[np.ndarray, np.ndarray]:
        """What is known of the given texts; of other texts only the keys are read.

        Returns:
            Vectors float32 [texts, width], 0 where there is none, and which there are, bool [texts].
        """
        vectors, found = np.zeros((len(keys), width), np.float32), np.zeros(len(keys), bool)
        for path in sorted(self.directory.glob(f"*{_SUFFIX}")):
            try:
                self._load_shard(path, keys, vectors, found)
            except InputMissingError:
                continue  # another process found it damaged
            except ArtifactError as error:
                log.warning("damaged vector cache ignored, its texts are encoded again: %s", error)
                path.unlink(missing_ok=True)
            if found.all():
                break
        return vectors, found

    def _load_shard(self, path: Path, keys: pa.Array, vectors: np.ndarray, found: np.ndarray) -> None:
        stored = files.read_parquet(path, columns=["key"])
        if stored.schema != pa.schema([schemas.vector_cache(vectors.shape[1]).field("key")]):
            raise ArtifactError(f"{path}: other columns than those of a vector cache")
        place = pc.index_in(keys, stored["key"].combine_chunks()).fill_null(-1).to_numpy()
        wanted = np.flatnonzero((place >= 0) & ~found)
        if not len(wanted):
            return
        table = files.read_parquet(path)
        if not table.schema.equals(schemas.vector_cache(vectors.shape[1])):
            raise ArtifactError(f"{path}: other columns than those of a vector cache")
        vectors[wanted] = schemas.vector_matrix(table["vector"])[place[wanted]]
        found[wanted] = True

    def add(self, keys: pa.Array, vectors: np.ndarray) -> None:
        """Store vectors, float32 [texts, width], as one shard that is there whole or not at all.

        Raises:
            CannotCreateError: the directory cannot be created.
            StorageError, AccessError: the shard cannot be written.
        """
        schema = schemas.vector_cache(vectors.shape[1])
        name = hashlib.sha256(b"".join(keys.to_pylist())).hexdigest()[:24]
        with commit.staged_file(self.directory / f"{name}{_SUFFIX}") as partial:
            files.write_parquet(partial, pa.table([keys, schemas.vector_column(vectors)], names=schema.names), schema)
