"""Shared by all tests: a tiny encoder in Hugging Face layout, made on the spot."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tests.examples import choose_profile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
choose_profile()

WORDS = """
the a of in on and game team win season market stock price bank film star music city storm snow rain
recipe chicken soup cake health doctor heart run travel beach hotel car engine road law court vote party
president school child dog cat house garden book phone screen chip space moon light day night old new big
""".split()


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of 2 layers, 16 wide, random weights, with a WordPiece tokenizer over WORDS and letters."""
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    directory = tmp_path_factory.mktemp("encoder")
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,:;!?'-"
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    tokens += [t for t in letters if t not in tokens] + [f"##{c}" for c in letters if c.isalnum()]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=64,
    ).save_pretrained(directory)
    size = {"hidden": 16, "inner": 32, "layers": 2, "positions": 64, "vocabulary": len(vocabulary)}
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": size["hidden"],
        "intermediate_size": size["inner"],
        "num_hidden_layers": size["layers"],
        "num_attention_heads": 2,
        "max_position_embeddings": size["positions"],
        "vocab_size": size["vocabulary"],
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "initializer_range": 0.02,
        "pad_token_id": 0,
    }
    (directory / "config.json").write_text(json.dumps(config))
    save_file(tiny_bert_weights(size), directory / "model.safetensors", metadata={"format": "pt"})
    return directory


def tiny_bert_weights(size: dict[str, int]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    hidden, inner = size["hidden"], size["inner"]

    def normal(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.2, shape).astype(np.float32)

    weights = {
        "embeddings.word_embeddings.weight": normal(size["vocabulary"], hidden),
        "embeddings.position_embeddings.weight": normal(size["positions"], hidden),
        "embeddings.token_type_embeddings.weight": normal(2, hidden),
        "embeddings.LayerNorm.weight": 1 + normal(hidden),
        "embeddings.LayerNorm.bias": normal(hidden),
        "pooler.dense.weight": normal(hidden, hidden),
        "pooler.dense.bias": normal(hidden),
    }
    for layer in range(size["layers"]):
        prefix = f"encoder.layer.{layer}"
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            weights[f"{prefix}.{name}.weight"] = normal(hidden, hidden)
            weights[f"{prefix}.{name}.bias"] = normal(hidden)
        weights[f"{prefix}.intermediate.dense.weight"] = normal(inner, hidden)
        weights[f"{prefix}.intermediate.dense.bias"] = normal(inner)
        weights[f"{prefix}.output.dense.weight"] = normal(hidden, inner)
        weights[f"{prefix}.output.dense.bias"] = normal(hidden)
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            weights[f"{prefix}.{name}.weight"] = 1 + normal(hidden)
            weights[f"{prefix}.{name}.bias"] = normal(hidden)
    return weights
