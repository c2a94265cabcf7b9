"""The vector cache: vectors of encoded texts on disk, looked up by tokens across corpora and runs.

A text's vector depends on its tokens and on the encoder alone (see `text_inputs.batches`), so a vector from the cache
equals a newly encoded one to the last bit. One directory holds one encoder's vectors in shards, which are staged and
atomically renamed: several processes may write, and a killed process leaves complete shards only.
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
from interestrec.io.vector_columns import vector_column, vector_matrix
from interestrec.model.backend import tf
from interestrec.model.encoder import EncoderInputs

_ARITHMETIC_VERSION = 1  # increase it with every change of the encoder's code that may change a bit of a vector
_SUFFIX = ".parquet"


def cache_path(workspace: Path, kind: str, encoder: Path, part: str, max_length: int, precision: str) -> Path:
    """Return the directory of an encoder's outputs, named by everything they depend on besides the text.

    Args:
        kind: `vectors` of texts or `hidden` states of their tokens.
        encoder: directory in Hugging Face layout.
        part: the pooling of the vectors, or the layers of the states.
        max_length: maximum number of positions of a text, special tokens included.
        precision: of matrix products.
    """
    has_gpu = bool(tf.config.get_visible_devices("GPU"))
    if has_gpu and tf.config.experimental.tensor_float_32_execution_enabled():
        precision = f"{precision}, TF32"
    content = {
        "config": files.sha256_of(encoder / CONFIG),
        "weights": files.sha256_of(encoder / WEIGHTS),
        "of": part,
        "longest": max_length,
        "numeric": [precision, has_gpu, tf.__version__, _ARITHMETIC_VERSION],
    }
    return workspace / "cache" / kind / files.sha256_of_json(content)[:24]


def keys_of(inputs: EncoderInputs) -> pa.Array:
    """Return the key of each input, fixed_size_binary(16) [inputs]."""
    return pa.array(inputs.keys(), schemas.VECTOR_KEY)


@dataclass(frozen=True)
class VectorCache:
    """The shards of one encoder below a directory, which need not exist yet."""

    directory: Path

    def load(self, keys: pa.Array, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Look up vectors of texts by their keys.

        Returns:
            Vectors float32 [texts, width], 0 if absent, and whether they are present, bool [texts].
        """
        vectors, present = np.zeros((len(keys), width), np.float32), np.zeros(len(keys), bool)
        for path in sorted(self.directory.glob(f"*{_SUFFIX}")):
            try:
                self._load_shard(path, keys, vectors, present)
            except InputMissingError:
                continue  # another process deleted it as damaged
            except ArtifactError as error:
                log.warning("damaged vector cache ignored, its texts are encoded again: %s", error)
                path.unlink(missing_ok=True)
            if present.all():
                break
        return vectors, present

    def _load_shard(self, path: Path, keys: pa.Array, vectors: np.ndarray, present: np.ndarray) -> None:
        stored = files.read_parquet(path, columns=["key"])
        if stored.schema != pa.schema([schemas.vector_cache(vectors.shape[1]).field("key")]):
            raise ArtifactError(f"{path}: does not have the columns of a vector cache")
        place = pc.index_in(keys, stored["key"].combine_chunks()).fill_null(-1).to_numpy()
        rows = np.flatnonzero((place >= 0) & ~present)
        if not len(rows):
            return
        table = files.read_parquet(path)
        if not table.schema.equals(schemas.vector_cache(vectors.shape[1])):
            raise ArtifactError(f"{path}: does not have the columns of a vector cache")
        vectors[rows] = vector_matrix(table["vector"])[place[rows]]
        present[rows] = True

    def add(self, keys: pa.Array, vectors: np.ndarray) -> None:
        """Store vectors, float32 [texts, width], as one shard, staged and atomically renamed.

        Raises:
            CannotCreateError: the directory cannot be created.
            StorageError, AccessError: the shard cannot be written.
        """
        schema = schemas.vector_cache(vectors.shape[1])
        name = hashlib.sha256(b"".join(keys.to_pylist())).hexdigest()[:24]
        with commit.staged_file(self.directory / f"{name}{_SUFFIX}") as partial:
            files.write_parquet(partial, pa.table([keys, vector_column(vectors)], names=schema.names), schema)
