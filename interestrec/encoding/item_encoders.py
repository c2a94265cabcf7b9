"""The encoders of a configuration, and what each makes of the items of a corpus.

A modality is what one encoder reads of an item. The vectors of several modalities stand side by side: those of the
first encoder of texts, which `finetune` may train, and then those of the others in the order of the configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from interestrec.corpus.item_settings import ItemsSettings
from interestrec.corpus.store import Corpus
from interestrec.encoding.encoder_settings import (
    FLOAT32,
    ONNX_INT8,
    AnyEncoder,
    GivenVectorsSettings,
    ImageEncoderSettings,
    TextEncoderSettings,
    first_of_texts,
)
from interestrec.encoding.item_pictures import picture_source
from interestrec.io import artifact_files, files, schemas
from interestrec.model.modality import Modality, unit_blocks

if TYPE_CHECKING:
    import pyarrow as pa

    from interestrec.encoding.int8_encoder import Int8Encoder
    from interestrec.io.picture_sources import PictureSource
    from interestrec.model.encoder import Encoder, EncoderInputs
    from interestrec.model.picture_encoder import PictureEncoder
    from interestrec.model.picture_preparation import PicturePreparation


class ModalVectors(NamedTuple):
    """Vectors of the modalities other than the first encoder of texts, side by side."""

    modalities: tuple[Modality, ...]
    vectors: np.ndarray  # float32 [items, sum of widths], 0 where an item lacks a modality


@dataclass(frozen=True)
class ItemEncoders:
    """The entries of `encoders` and the fields that they read."""

    entries: Mapping[str, AnyEncoder]
    items: ItemsSettings
    artifact: Path | None  # the `encoder` artifact; None = the encoders as they were before adaptation
    workspace: Path  # of caches
    precision: str
    root: Path  # of raw data, where pictures are
    arithmetic: str = FLOAT32  # of texts that are encoded with frozen weights: FLOAT32 or ONNX_INT8

    @property
    def text(self) -> str | None:
        """The name of the first encoder of texts; None without any."""
        return first_of_texts(self.entries)

    def directory(self, name: str) -> Path:
        """Return the directory of an encoder's files; that of the first encoder of texts is the artifact's own."""
        if self.artifact is None:
            return self.entries[name].source
        return encoder_directory(self.artifact, name, self.text)

    def fields_of(self, name: str) -> tuple[tuple[str, int], ...]:
        """Return `title` or `text` and its maximum number of tokens for each field of an encoder of texts."""
        return tuple((field.name, field.max_tokens) for field in self.items.texts_of(name))

    def load_text(self, name: str, rate: float = 0.1) -> Encoder:
        """Load an encoder of texts; `rate` is its dropout rate."""
        from interestrec.model.encoders import load_encoder

        entry = self.entries[name]
        assert isinstance(entry, TextEncoderSettings)
        return load_encoder(self.directory(name), rate, entry.pooling, self.precision)

    def frozen(self, encoder: Encoder) -> Encoder | Int8Encoder:
        """Return what encodes texts by `arithmetic` with the weights that an encoder has."""
        from interestrec.encoding.int8_encoder import Int8Encoder

        return Int8Encoder(encoder) if self.arithmetic == ONNX_INT8 else encoder

    def text_inputs(self, name: str, encoder: Encoder, corpus: Corpus) -> EncoderInputs:
        """Return what an encoder of texts reads of the items."""
        directory, entry = self.directory(name), self.entries[name]
        assert isinstance(entry, TextEncoderSettings)
        return encoder.item_inputs(directory, corpus.text_features(directory), self.fields_of(name), entry.prompt)

    def load_pictures(self, name: str) -> tuple[PictureEncoder, PicturePreparation]:
        """Load an encoder of pictures and what it prepares them by."""
        from interestrec.model.picture_encoders import load_picture_encoder
        from interestrec.model.picture_preparation import read_preparation

        directory = self.directory(name)
        return load_picture_encoder(directory), read_preparation(directory)

    def pictures(self, name: str, corpus: Corpus) -> tuple[pa.Table, PictureSource]:
        """Return the table of schemas.PICTURES that an encoder reads, and where its pictures are."""
        path = corpus.path / artifact_files.FEATURES / artifact_files.PICTURES.format(name)
        source = picture_source(self.items.images[name], self.root, corpus.items)
        return files.read_parquet(path, schemas.PICTURES), source

    def other_vectors(self, corpus: Corpus) -> ModalVectors:
        """Return the vectors of all modalities but the first encoder of texts."""
        parts = {name: self._vectors(name, corpus) for name in self.entries if name != self.text}
        modalities = tuple(Modality(name, part.shape[1]) for name, part in parts.items())
        if len(parts) == 1:
            (vectors,) = parts.values()  # not copied, as they may be mapped from a file
        else:
            empty = np.zeros((corpus.items.num_rows, 0), np.float32)
            vectors = np.concatenate([empty, *parts.values()], axis=1)
        return ModalVectors(modalities, vectors)

    def text_vectors(self, corpus: Corpus) -> np.ndarray:
        """Return the vectors of the items by the first encoder of texts, float32 [items, width]."""
        assert self.text is not None
        return self._text_vectors(self.text, corpus)

    def frozen_vectors(self, corpus: Corpus) -> np.ndarray:
        """Return the vectors of all modalities as `unit_blocks` of them, float32 [items, sum of widths]."""
        others = self.other_vectors(corpus)
        if self.text is None:
            return unit_blocks(others.vectors, others.modalities)
        texts = self.text_vectors(corpus)
        if not others.modalities:
            return texts
        modalities = (Modality(self.text, texts.shape[1]), *others.modalities)
        return unit_blocks(np.concatenate([texts, others.vectors], axis=1), modalities)

    def _vectors(self, name: str, corpus: Corpus) -> np.ndarray:
        entry, features = self.entries[name], corpus.path / artifact_files.FEATURES
        if isinstance(entry, GivenVectorsSettings):
            return files.map_array(features / artifact_files.GIVEN_VECTORS.format(name))
        if isinstance(entry, ImageEncoderSettings):
            return self._picture_vectors(name, corpus)
        return self._text_vectors(name, corpus)

    def _picture_vectors(self, name: str, corpus: Corpus) -> np.ndarray:
        from interestrec.encoding.picture_vectors import encode_pictures, picture_cache

        encoder, preparation = self.load_pictures(name)
        cache = picture_cache(self.directory(name), self.workspace, encoder.size)
        return encode_pictures(encoder, preparation, *self.pictures(name, corpus), cache).vectors

    def _text_vectors(self, name: str, corpus: Corpus) -> np.ndarray:
        from interestrec.encoding.encoder_caches import vector_cache
        from interestrec.encoding.text_vectors import encode

        encoder = self.load_text(name)
        inputs, frozen = self.text_inputs(name, encoder, corpus), self.frozen(encoder)
        return encode(frozen, inputs, vector_cache(frozen, self.directory(name), self.workspace))


def encoder_directory(artifact: Path, name: str, text: str | None) -> Path:
    """Return the directory of an encoder's files within an `encoder` artifact; `text` is the first one of texts."""
    return artifact if name == text else artifact / name
