"""The sizes of a BERT-family encoder, as `config.json` of its checkpoint gives them."""

from dataclasses import dataclass
from pathlib import Path

from interestrec.io import files
from interestrec.io.encoder_files import CONFIG, require_encoder
from interestrec.model.families import FAMILIES, EncoderFamily, read_sizes


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

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.hidden_size // self.num_attention_heads

    @property
    def max_length(self) -> int:
        """Maximum number of tokens of a text, special tokens included."""
        return self.max_position_embeddings - self.first_position

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
    require_encoder(directory)
    path = directory / CONFIG
    return BertConfig(**read_sizes(files.read_json(path), path))
