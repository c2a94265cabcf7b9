"""What the encoders read of the items of a corpus: its directory `features`, which `preprocess` writes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from interestrec.corpus.item_settings import ItemsSettings
from interestrec.corpus.picture_table import picture_table
from interestrec.corpus.text_cleaning import tokenize_items
from interestrec.corpus.vector_alignment import align_vectors
from interestrec.encoding.encoder_settings import AnyEncoder, GivenVectorsSettings, TextEncoderSettings
from interestrec.encoding.item_pictures import picture_source, pictures_digest
from interestrec.io import artifact_files, files, schemas
from interestrec.io.given_vectors import VectorFile
from interestrec.rawfiles.quality_log import QualityLog
from interestrec.text.tokenizer import load_tokenizer, tokenizer_digest


@dataclass(frozen=True)
class EncoderFeatures:
    """What `write_features` found."""

    items: pa.Table  # with `has_text` by the first encoder of texts
    only_unknown: int  # items whose tokens it does not know
    unknown_tokens: dict[str, Any]  # its counts by script
    modalities: dict[str, dict[str, Any]]  # counts of each other encoder, by name


def input_digests(encoders: Mapping[str, AnyEncoder], items: ItemsSettings, root: Path) -> dict[str, str]:
    """Return the digests of what `preprocess` reads for the encoders, by name; the first tokenizer is `tokenizer`.

    Args:
        root: `data.root`.

    Raises:
        InputMissingError: a tokenizer, a file of vectors or the pictures are missing.
    """
    digests: dict[str, str] = {}
    for name, entry in encoders.items():
        if isinstance(entry, TextEncoderSettings):
            key = f"tokenizer of {name}" if "tokenizer" in digests else "tokenizer"
            digests[key] = tokenizer_digest(entry.source)
        elif isinstance(entry, GivenVectorsSettings):
            for path in (entry.source, entry.ids):
                if path is not None:
                    digests[f"vectors of {name}, {path.name}"] = files.sha256_of(path)
        else:
            digests[f"pictures of {name}"] = pictures_digest(items.images[name], root)
    return digests


def write_features(
    directory: Path,
    items: pa.Table,
    encoders: Mapping[str, AnyEncoder],
    fields: ItemsSettings,
    root: Path,
    quality: QualityLog,
) -> EncoderFeatures:
    """Write tokens of texts for each tokenizer, vectors of each file in the order of the items, and keys of pictures.

    Args:
        items: the result of `clean_texts`.
        root: `data.root`.
        quality: log that takes the warnings.

    Raises:
        DataError, InputMissingError: a file of vectors does not fit, see `align_vectors`.
    """
    directory.mkdir()
    read, is_first = items, True
    only_unknown = 0
    unknown_tokens: dict[str, Any] = {}
    modalities: dict[str, dict[str, Any]] = {}
    for name, entry in encoders.items():
        if isinstance(entry, TextEncoderSettings):
            tokenizer = load_tokenizer(entry.source)
            tokenized = tokenize_items(items, name, tokenizer, quality)
            tokenized.write(directory, tokenizer)
            if is_first:
                read, is_first = tokenized.items, False
                only_unknown, unknown_tokens = tokenized.only_unknown, tokenized.unknown_by_script()
            else:
                modalities[name] = {"unknown_tokens": tokenized.unknown_by_script()}
        elif isinstance(entry, GivenVectorsSettings):
            source = VectorFile(entry.source, entry.ids, entry.id_column, entry.vector_column)
            target = directory / artifact_files.GIVEN_VECTORS.format(name)
            counts = align_vectors(source, items["item_id"].combine_chunks(), target)
            modalities[name] = counts._asdict()
            if counts.missing:
                quality.warn(f"{counts.missing:,} of {items.num_rows:,} items have no vector of encoders.{name}")
        else:
            table, statuses = picture_table(picture_source(fields.images[name], root, items))
            files.write_parquet(directory / artifact_files.PICTURES.format(name), table, schemas.PICTURES)
            modalities[name] = statuses
            without = items.num_rows - statuses[schemas.PICTURE_OK]
            if without:
                told = ", ".join(f"{count:,} {status}" for status, count in statuses.items() if count)
                quality.warn(f"{without:,} of {items.num_rows:,} items have no picture for encoders.{name} ({told})")
    return EncoderFeatures(read, only_unknown, unknown_tokens, modalities)
