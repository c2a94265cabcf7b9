"""An entry of the `encoders` section: which pretrained encoder, and how its vectors are pooled."""

from pathlib import Path
from typing import Literal

from interestrec.core.section import Section


class EncoderSettings(Section):
    """A pretrained text encoder of the BERT family."""

    source: Path
    """Directory in Hugging Face layout with `config.json`, `model.safetensors` and tokenizer files, relative to the
    working directory. `interestrec fetch minilm-l6` downloads a small one."""
    pooling: Literal["mean", "cls", "attention"] = "mean"
    """How token vectors become one: `mean` of all tokens, `cls` the first token's, `attention` a weighted mean that
    `finetune` learns. Take what the encoder was trained with."""
