"""The sizes of a BERT-family encoder, as `config.json` of its checkpoint gives them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interestrec.core.errors import ArtifactError
from interestrec.io.encoder_files import CONFIG, pick_model_type, read_encoder_config
from interestrec.model.families import FAMILIES, REALS, EncoderFamily

_MAX_SIZE, _MAX_LAYERS = 10**8, 1000  # beyond any trained encoder
_ACTIVATION = "hidden_act"


@dataclass(frozen=True)
class BertConfig:
    """The sizes that determine the tensor shapes of a checkpoint."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int  # 0 if the family has no segment embeddings
    layer_norm_eps: float
    initializer_range: float
    model_type: str = "bert"
    first_position: int = 0  # row of the first token among the position embeddings
    embedding_size: int | None = None  # width of the embeddings; None if it is that of the blocks
    relative_buckets: int = 0  # rows of the table of relative positions; 0 if the family has none
    activation: str = "gelu"  # of the feed-forward part: `gelu`, or its approximation by tanh, `gelu_new`

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.hidden_size // self.num_attention_heads

    @property
    def max_length(self) -> int:
        """Maximum number of tokens of a text, special tokens included."""
        return self.max_position_embeddings - self.first_position

    @property
    def embedding_width(self) -> int:
        """Width of the embeddings."""
        return self.embedding_size or self.hidden_size

    @property
    def has_projection(self) -> bool:
        """Whether a matrix leads from the embeddings to the blocks."""
        family = self.family
        return family.projection is not None and (family.always_projects or self.embedding_width != self.hidden_size)

    @property
    def approximate_gelu(self) -> bool:
        """Whether GELU is approximated by tanh (Hendrycks and Gimpel 2016)."""
        return self.activation == "gelu_new"

    @property
    def stored_layers(self) -> range:
        """Numbers of the blocks that have weights of their own."""
        return range(1 if self.family.shares_layer else self.num_hidden_layers)

    @property
    def family(self) -> EncoderFamily:
        """Tensor and key names of this model type."""
        return FAMILIES[self.model_type]


def read_config(directory: Path) -> BertConfig:
    """Read and check `config.json` of an encoder's directory.

    Raises:
        InputMissingError: the directory or file is missing.
        ArtifactError: the file does not describe an encoder that this release can run.
    """
    return BertConfig(**read_sizes(read_encoder_config(directory), directory / CONFIG))


def read_sizes(values: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return the fields of BertConfig from the content of `config.json`.

    Raises:
        ArtifactError: the family or an option is not supported, or a size is missing or invalid.
    """
    family = pick_model_type(FAMILIES, values, path)
    for key, supported in family.supported_values.items():
        if values.get(key, supported[0]) not in supported:
            choices = " or ".join(f"'{value}'" for value in supported)
            raise ArtifactError(
                f"{path}: {key} is '{values[key]}', but only {choices} is supported; choose another encoder"
            )
    stored = {field: values[key] for field, key in family.sizes.items() if key in values}
    sizes = {**family.defaults, **stored, "model_type": values["model_type"]}
    missing = [key for field, key in family.sizes.items() if field not in sizes]
    if missing:
        raise ArtifactError(f"{path}: lacks {', '.join(missing)}; fetch the encoder again")
    sizes["activation"] = values.get(_ACTIVATION, family.supported_values.get(_ACTIVATION, ("gelu",))[0])
    sizes["first_position"] = _padding(values, path) + 1 if family.positions_after_padding else 0
    _check(sizes, family, path)
    return sizes


def _padding(values: Mapping[str, Any], path: Path) -> int:
    padding = values.get("pad_token_id", 1)
    if not isinstance(padding, int) or padding < 0:
        raise ArtifactError(
            f"{path}: pad_token_id is {padding} instead of a whole number >= 0; fetch the encoder again"
        )
    return padding


def _check(sizes: dict[str, Any], family: EncoderFamily, path: Path) -> None:
    counts = [sizes[field] for field in family.sizes if field not in REALS]
    valid = all(isinstance(count, int) and 0 < count <= _MAX_SIZE for count in counts)
    if not valid or sizes["hidden_size"] % sizes["num_attention_heads"]:
        raise ArtifactError(
            f"{path}: sizes must be from 1 to {_MAX_SIZE:.0e}, and hidden_size a multiple of the number of heads; "
            "fetch it again"
        )
    if sizes["num_hidden_layers"] > _MAX_LAYERS or not all(_is_small(sizes[field]) for field in REALS):
        raise ArtifactError(
            f"{path}: has more than {_MAX_LAYERS} layers, or {' or '.join(REALS)} is not from 0 to 1; fetch it again"
        )
    if sizes["max_position_embeddings"] <= sizes["first_position"]:
        raise ArtifactError(f"{path}: max_position_embeddings leaves no position for a token; fetch it again")


def _is_small(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value <= 1
