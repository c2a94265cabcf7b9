"""Entries of the `encoders` section: what turns a field of an item into a vector."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from interestrec.core.kinds import misspelt_kind, require_kind
from interestrec.core.section import Choice, Section
from interestrec.model.pooling import POOLINGS

FLOAT32, ONNX_INT8 = "float32", "onnx-int8"  # of `runtime.encoder`


class TextEncoderSettings(Section):
    """A pretrained encoder of texts."""

    kind: Literal["text"] = "text"
    """What is encoded: `text`, by a pretrained language model."""
    source: Path
    """Directory in Hugging Face layout with `config.json`, `model.safetensors` and tokenizer files, relative to the
    working directory. `interestrec fetch minilm-l6` downloads a small one."""
    pooling: Annotated[str, Choice(POOLINGS)] = "mean"
    """How token vectors become one. Take what the encoder was trained with."""
    prompt: str = ""
    """Words before every text, such as `"query: "`, for encoders that were trained with them; their model card says
    which. Left out for others, because it costs tokens and moves all vectors."""


class ImageEncoderSettings(Section):
    """A pretrained encoder of pictures, which stays as it is unless `pretrain_adapt.objective` is `image_text`."""

    kind: Literal["image"]
    """What is encoded: `image`, by a pretrained vision model."""
    source: Path
    """Directory in Hugging Face layout with `config.json`, `model.safetensors` and `preprocessor_config.json`, relative
    to the working directory."""


class GivenVectorsSettings(Section):
    """Vectors that another model or service has made, by item; any large model can be used so."""

    kind: Literal["vectors"]
    """What is encoded: nothing here; `vectors` are read from a file."""
    source: Path
    """Parquet file with a column of item ids and one of vectors, or a `.npy` or `.safetensors` file with one matrix,
    whose rows are named by `ids`; relative to the working directory."""
    ids: Path | None = None
    """Text file with the item id of each row of a `.npy` or `.safetensors` file, one per line; Parquet has a column."""
    id_column: str = "item_id"
    """Column of the item ids in a Parquet file."""
    vector_column: str = "vector"
    """Column of the vectors in a Parquet file, lists of equally many numbers."""


ENCODER_KINDS: dict[str, type[Section]] = {
    "text": TextEncoderSettings,
    "image": ImageEncoderSettings,
    "vectors": GivenVectorsSettings,
}


def _check_kind(entry: Any) -> Any:
    """Return an entry with its kind, `text` by default; if the key is misspelt, the section refuses it."""
    if not isinstance(entry, dict):
        return entry
    if "kind" not in entry:
        misspelt = misspelt_kind(entry, ENCODER_KINDS)
        kind = entry[misspelt] if misspelt is not None and entry[misspelt] in ENCODER_KINDS else "text"
        return {**entry, "kind": kind}
    require_kind(entry["kind"], ENCODER_KINDS)
    return entry


def first_of_texts(entries: Mapping[str, Section]) -> str | None:
    """Return the name of the first encoder of texts, whose layers may learn; None without any."""
    return next((name for name, entry in entries.items() if isinstance(entry, TextEncoderSettings)), None)


AnyEncoder = Annotated[
    Annotated[TextEncoderSettings | ImageEncoderSettings | GivenVectorsSettings, Field(discriminator="kind")],
    BeforeValidator(_check_kind),
]
