"""`encode`: vectors of all items of a corpus as one Parquet file, for search indexes and other programs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from interestrec.config.settings import Settings
from interestrec.core.errors import ArtifactError
from interestrec.core.progress import log
from interestrec.corpus.store import Corpus
from interestrec.io import artifact_files, commit, files, schemas
from interestrec.stages.run import RunContext
from interestrec.workspace.artifacts import Artifact

if TYPE_CHECKING:
    import numpy as np


def run(context: RunContext, to: Path | None, of_model: bool) -> dict[str, Any]:
    """Write the vectors and tell what was written.

    Args:
        to: the file; unless told `text_vectors.parquet`, or `item_vectors.parquet` of a model, in the workspace.
        of_model: take the vectors that the model's item tower gave rather than the encoder's.

    Raises:
        ArtifactError: encoder or model belong to another corpus, or are damaged.
        InputMissingError, CannotCreateError, StorageError: as opening and writing say.
    """
    settings = context.settings
    source = context.open("model" if of_model else "encoder")
    artifact = context.open("corpus")
    source.require_input(artifact)
    corpus = Corpus(artifact.path, settings.data.relevant_at)
    vectors = _of_model(source, corpus) if of_model else _of_encoder(source, corpus, settings)
    to = to or settings.workspace / ("item_vectors.parquet" if of_model else "text_vectors.parquet")
    schema = schemas.item_vectors(vectors.shape[1])
    columns = [corpus.items["item_id"].combine_chunks(), schemas.vector_column(vectors)]
    with commit.staged_file(to) as partial:
        files.write_parquet(partial, pa.table(columns, names=schema.names), schema)
    log.info("encode: wrote %d vectors", len(vectors))
    return {
        "file": str(to),
        "items": len(vectors),
        "width": vectors.shape[1],
        "source": source.kind,
        "digest": source.digest,
    }


def _of_model(model: Artifact, corpus: Corpus) -> "np.ndarray":
    """x_i of all items, float32 [items, width]."""
    vectors = files.read_safetensors(model.path / artifact_files.ITEM_VECTORS).get("item")
    if vectors is None or len(vectors) != corpus.items.num_rows:
        raise ArtifactError(f"{model.path}: item_vectors.safetensors does not fit the corpus; run finetune again")
    return vectors


def _of_encoder(encoder: Artifact, corpus: Corpus, settings: Settings) -> "np.ndarray":
    """Text vectors of all items, float32 [items, width]."""
    # TensorFlow only here: a model's vectors need none.
    from interestrec.encoding.encoder_caches import vector_cache
    from interestrec.encoding.text_vectors import encode
    from interestrec.model.encoders import load_encoder
    from interestrec.training import device

    device.prepare(settings.runtime.device, settings.runtime.threads, settings.seed)
    network = load_encoder(encoder.path, pooling=settings.encoder.pooling, precision=settings.runtime.precision)
    fields = [(field.name, field.max_tokens) for field in settings.items.texts]
    inputs = network.item_inputs(encoder.path, corpus.text_features, fields)
    return encode(network, inputs, vector_cache(network, encoder.path, settings.workspace))
