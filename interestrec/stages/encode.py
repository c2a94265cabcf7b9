"""`encode`: export vectors of all items of a corpus as one Parquet file, for search indexes and other programs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from interestrec.config.settings import Settings
from interestrec.core.errors import ArtifactError
from interestrec.core.progress import log
from interestrec.corpus.store import Corpus
from interestrec.io import artifact_files, commit, files, schemas
from interestrec.io.vector_columns import vector_column
from interestrec.stages.run import RunContext, item_encoders
from interestrec.workspace.artifacts import Artifact

if TYPE_CHECKING:
    import numpy as np


def run(context: RunContext, to: Path | None, from_model: bool) -> dict[str, Any]:
    """Write the vectors and return a summary.

    Args:
        to: the output file; None for `text_vectors.parquet` in the workspace, or `item_vectors.parquet` for a model.
        from_model: whether to export the vectors of the model's item tower instead of the encoders' vectors.

    Returns:
        File, number of items, width of the vectors, and kind and digest of the artifact that they come from.

    Raises:
        ArtifactError: the encoder or the model is damaged or belongs to another corpus.
        InputMissingError: an artifact is missing.
        CannotCreateError, StorageError: the file cannot be written.
    """
    settings = context.settings
    artifact = context.open("model" if from_model else "encoder")
    corpus_artifact = context.open("corpus")
    artifact.require_input(corpus_artifact)
    corpus = Corpus(corpus_artifact.path, settings.data.relevant_at)
    vectors = _model_vectors(artifact, corpus) if from_model else _encoder_vectors(artifact, corpus, settings)
    to = to or settings.workspace / ("item_vectors.parquet" if from_model else "text_vectors.parquet")
    schema = schemas.item_vectors(vectors.shape[1])
    columns = [corpus.items["item_id"].combine_chunks(), vector_column(vectors)]
    with commit.staged_file(to) as partial:
        files.write_parquet(partial, pa.table(columns, names=schema.names), schema)
    log.info("encode: wrote %d vectors", len(vectors))
    return {
        "file": str(to),
        "items": len(vectors),
        "width": vectors.shape[1],
        "source": artifact.kind,
        "digest": artifact.digest,
    }


def _model_vectors(model: Artifact, corpus: Corpus) -> "np.ndarray":
    """Return the item tower's vectors x_i of all items, float32 [items, width]."""
    vectors = files.read_safetensors(model.path / artifact_files.ITEM_VECTORS).get("item")
    if vectors is None or len(vectors) != corpus.items.num_rows:
        raise ArtifactError(f"{model.path}: item_vectors.safetensors does not fit the corpus; run finetune again")
    return vectors


def _encoder_vectors(encoder: Artifact, corpus: Corpus, settings: Settings) -> "np.ndarray":
    """Return the vectors of all items by the encoders, float32 [items, width]."""
    # TensorFlow is imported here, because exporting a model's vectors does not need it.
    from interestrec.training import device

    runtime = settings.runtime
    device.prepare(runtime.device, runtime.threads, settings.seed, tensor_float_32=runtime.tensor_float_32)
    return item_encoders(settings, encoder.path).frozen_vectors(corpus)
