"""An entry of the `encoders` section: which pretrained encoder, and how its vectors are pooled."""

from pathlib import Path
from typing import Annotated

from interestrec.core.section import Choice, Section
from interestrec.model.pooling import POOLINGS


class EncoderSettings(Section):
    """A pretrained text encoder of the BERT family."""

    source: Path
    """Directory in Hugging Face layout with `config.json`, `model.safetensors` and tokenizer files, relative to the
    working directory. `interestrec fetch minilm-l6` downloads a small one."""
    pooling: Annotated[str, Choice(POOLINGS)] = "mean"
    """How token vectors become one. Take what the encoder was trained with."""
