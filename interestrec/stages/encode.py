"""`encode`: export vectors of all items of a corpus as one Parquet file, for search indexes and other programs."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from interestrec.core.errors import ArtifactError
from interestrec.core.progress import log, track
from interestrec.corpus.store import Corpus
from interestrec.io import artifact_files, commit, files, schemas
from interestrec.io.vector_columns import vector_column
from interestrec.stages.placed_work import PlacedPart
from interestrec.stages.run import RunContext, item_encoders
from interestrec.workspace.artifacts import Artifact

if TYPE_CHECKING:
    from interestrec.encoding.int8_encoder import Int8Encoder
    from interestrec.encoding.item_encoders import ItemEncoders
    from interestrec.encoding.vector_cache import VectorCache
    from interestrec.model.encoder import Encoder, EncoderInputs

_TEXTS_PER_PART = 4096  # the loss if a worker is killed


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
    vectors = _model_vectors(artifact, corpus) if from_model else _encoder_vectors(context, artifact, corpus)
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


def _model_vectors(model: Artifact, corpus: Corpus) -> np.ndarray:
    """Return the item tower's vectors x_i of all items, float32 [items, width]."""
    vectors = files.read_safetensors(model.path / artifact_files.ITEM_VECTORS).get("item")
    if vectors is None or len(vectors) != corpus.items.num_rows:
        raise ArtifactError(f"{model.path}: item_vectors.safetensors does not fit the corpus; run finetune again")
    return vectors


def _encoder_vectors(context: RunContext, encoder: Artifact, corpus: Corpus) -> np.ndarray:
    """Return the vectors of all items by the encoders, float32 [items, width]."""
    # TensorFlow is imported here, because exporting a model's vectors does not need it.
    from interestrec.training import device

    settings, runtime = context.settings, context.settings.runtime
    device.prepare(runtime.device, runtime.threads, settings.seed, tensor_float_32=runtime.tensor_float_32)
    encoders = item_encoders(settings, encoder.path)
    if context.placement is not None:
        _fill_caches(replace(context, paths={"encoder": encoder.path, "corpus": corpus.path}), encoders, corpus)
    return encoders.frozen_vectors(corpus)


def part_writer(context: RunContext) -> Callable[..., None]:
    """Return what encodes a range of the distinct texts of an encoder into the vector cache, on a worker."""
    from interestrec.encoding.encoder_caches import vector_cache
    from interestrec.encoding.text_vectors import encode
    from interestrec.training import device

    settings, runtime = context.settings, context.settings.runtime
    # A worker has one thread as it is.
    device.prepare(runtime.device, None, settings.seed, tensor_float_32=runtime.tensor_float_32)
    encoders = item_encoders(settings, context.open("encoder").path)
    corpus = Corpus(context.open("corpus").path, settings.data.relevant_at)

    @lru_cache(maxsize=1)
    def opened(name: str) -> "tuple[Encoder | Int8Encoder, EncoderInputs, VectorCache]":
        encoder = encoders.load_text(name)
        texts, _ = encoders.text_inputs(name, encoder, corpus).distinct()
        frozen = encoders.frozen(encoder)
        return frozen, texts, vector_cache(frozen, encoders.directory(name), settings.workspace)

    def write(encoder: str, first: int, end: int) -> None:
        network, texts, cache = opened(encoder)
        encode(network, texts.select(np.arange(first, end)), cache)

    return write


def _fill_caches(context: RunContext, encoders: "ItemEncoders", corpus: Corpus) -> None:
    """Let workers encode the texts that the vector caches lack, by ranges."""
    from interestrec.encoding.encoder_caches import vector_cache
    from interestrec.encoding.vector_cache import keys_of

    assert context.placement is not None
    parts = []
    for name in context.settings.text_encoders:
        encoder = encoders.load_text(name)
        texts, _ = encoders.text_inputs(name, encoder, corpus).distinct()
        cache = vector_cache(encoders.frozen(encoder), encoders.directory(name), context.settings.workspace)
        known = cache.load(keys_of(texts), encoder.width)[1]
        starts = range(0, len(known), _TEXTS_PER_PART)
        ranges = [(start, min(start + _TEXTS_PER_PART, len(known))) for start in starts]
        parts += [PlacedPart({"encoder": name, "first": a, "end": b}) for a, b in ranges if not known[a:b].all()]
    results = context.placement.results("encode", context, parts) if parts else iter(())
    for _ in track(results, "encoding", total=len(parts), unit="parts"):
        pass
