"""Encoders that have learned nothing: their tensors, and the configuration that transformers reads."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest, truncnorm
from transformers import AutoConfig
from transformers import BertConfig as TheirConfig

from interestrec.io import files
from interestrec.io.encoder_files import CONFIG, WEIGHTS
from interestrec.model.bert_config import BertConfig, read_config
from interestrec.model.bert_tensors import expected_shapes, export
from interestrec.model.encoder_checkpoint import config_content, new_checkpoint
from interestrec.model.families import FAMILIES
from tests import kin
from tests.kin import load_bert

SMALL = BertConfig(
    vocab_size=301,
    hidden_size=24,
    num_hidden_layers=3,
    num_attention_heads=4,
    intermediate_size=56,
    max_position_embeddings=40,
    type_vocab_size=2,
    layer_norm_eps=1e-6,
    initializer_range=0.05,
)
# What the other families never say in config.json: DistilBERT's epsilon, and its segments, of which it has none.
SIZES = {
    "bert": SMALL,
    "roberta": replace(SMALL, model_type="roberta", first_position=2, type_vocab_size=1),
    "xlm-roberta": replace(SMALL, model_type="xlm-roberta", first_position=7),
    "distilbert": replace(SMALL, model_type="distilbert", type_vocab_size=0, layer_norm_eps=1e-12),
    "electra": replace(SMALL, model_type="electra", embedding_size=12),
    "albert": replace(SMALL, model_type="albert", embedding_size=12, activation="gelu_new"),
    "mpnet": replace(SMALL, model_type="mpnet", first_position=2, type_vocab_size=0, relative_buckets=32),
}


def write(directory: Path, config: BertConfig, seed: int = 0) -> Path:
    checkpoint = new_checkpoint(config, seed)
    directory.mkdir(exist_ok=True)
    files.write_json(directory / CONFIG, config_content(config))
    files.write_safetensors(directory / WEIGHTS, checkpoint.stored({}))
    return directory


def shapes_of_bert_model(config: Any) -> dict[str, tuple[int, ...]]:
    """Parameters of transformers' BertModel without its pooler, from the attributes of its configuration."""
    hidden, inner = config.hidden_size, config.intermediate_size
    tables = {
        "word": config.vocab_size,
        "position": config.max_position_embeddings,
        "token_type": config.type_vocab_size,
    }
    modules: dict[str, tuple[int, ...]] = {"embeddings.LayerNorm": (hidden,)}
    for layer in range(config.num_hidden_layers):
        block = f"encoder.layer.{layer}"
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            modules[f"{block}.attention.{name}"] = (hidden, hidden)
        modules[f"{block}.attention.output.LayerNorm"] = (hidden,)
        modules[f"{block}.intermediate.dense"] = (inner, hidden)
        modules[f"{block}.output.dense"] = (hidden, inner)
        modules[f"{block}.output.LayerNorm"] = (hidden,)
    shapes: dict[str, tuple[int, ...]] = {
        f"embeddings.{name}_embeddings.weight": (rows, hidden) for name, rows in tables.items()
    }
    for module, shape in modules.items():
        shapes |= {f"{module}.weight": shape, f"{module}.bias": shape[:1]}
    return shapes


def test_transformers_builds_the_same_shapes(tmp_path: Path) -> None:
    theirs = AutoConfig.from_pretrained(write(tmp_path, SMALL))
    assert type(theirs) is TheirConfig
    tensors = new_checkpoint(SMALL, 0).tensors
    assert {name: tensor.shape for name, tensor in tensors.items()} == shapes_of_bert_model(theirs)
    assert theirs.num_attention_heads == 4
    assert (theirs.hidden_act, theirs.layer_norm_eps, theirs.initializer_range) == ("gelu", 1e-6, 0.05)


@pytest.mark.parametrize("family", FAMILIES)
def test_transformers_and_we_read_the_sizes_that_were_written(tmp_path: Path, family: str) -> None:
    config = SIZES[family]
    directory = write(tmp_path, config)
    assert read_config(directory) == config
    theirs = AutoConfig.from_pretrained(directory)
    assert theirs.model_type == family
    for name in ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings"):
        assert getattr(theirs, name) == getattr(config, name)
    inner = theirs.hidden_dim if family == "distilbert" else theirs.intermediate_size
    assert inner == config.intermediate_size
    if config.first_position:
        assert theirs.pad_token_id == config.first_position - 1


@pytest.mark.parametrize("family", kin.PREFIX)
def test_what_is_written_says_the_same_as_checkpoints_of_the_family(tmp_path: Path, family: str) -> None:
    directory = kin.write(tmp_path, family)
    said = json.loads((directory / CONFIG).read_text())
    written = config_content(read_config(directory))
    assert said.items() <= {"pad_token_id": 1, **written}.items()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_new_encoder_loads_and_runs(tmp_path: Path, family: str) -> None:
    bert = load_bert(write(tmp_path, SIZES[family]))
    hidden = bert(np.array([[5, 300, 7]], np.int32), np.ones((1, 3), np.float32)).numpy()
    np.testing.assert_allclose(hidden.mean(axis=-1), 0, atol=1e-5)  # LayerNorm comes last and changes nothing yet
    np.testing.assert_allclose(hidden.std(axis=-1), 1, atol=1e-3)
    tensors = new_checkpoint(SIZES[family], 0).tensors
    assert {name: tensor.shape for name, tensor in tensors.items()} == expected_shapes(SIZES[family])
    for name, value in export(bert).items():
        np.testing.assert_array_equal(value, tensors[name])


def test_matrices_are_cut_off_normal_biases_zero_and_norms_one() -> None:
    tensors = new_checkpoint(SMALL, 3).tensors
    for name, tensor in tensors.items():
        assert tensor.dtype == np.float32
        if tensor.ndim == 2:
            assert np.abs(tensor).max() <= 2 * np.float32(0.05)
            assert kstest(tensor.ravel(), truncnorm(-2, 2, scale=0.05).cdf).pvalue > 1e-4, name
        else:
            assert (tensor == ("LayerNorm.weight" in name)).all(), name
    every = np.concatenate([tensor.ravel() for tensor in tensors.values() if tensor.ndim == 2])
    assert every.std() == pytest.approx(truncnorm(-2, 2, scale=0.05).std(), rel=0.02)


def test_one_seed_one_encoder_of_tensors_that_all_differ() -> None:
    one, again, other = (new_checkpoint(SMALL, seed).tensors for seed in (3, 3, 4))
    for name, tensor in one.items():
        np.testing.assert_array_equal(tensor, again[name])
        assert tensor.ndim == 1 or (tensor != other[name]).mean() > 0.99
    heads = [one[f"encoder.layer.{n}.attention.self.{of}.weight"] for n in range(3) for of in ("query", "key", "value")]
    assert len({head.tobytes() for head in heads}) == 9
