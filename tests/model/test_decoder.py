"""Decoders: hidden states against NumPy, weights out and in, adapters, and what is refused."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from safetensors.numpy import load_file, save_file

from interestrec.core.errors import ArtifactError, ConfigError
from interestrec.model.bert_layer import MATRICES
from interestrec.model.decoder_checkpoint import read_decoder
from interestrec.model.encoders import load_encoder, read_encoder
from interestrec.text.tokenizer import load_tokenizer
from interestrec.training.finetune_settings import LoraSettings
from tests import kin
from tests.model.decoder_oracle import hidden_states

families = pytest.mark.parametrize("family", kin.DECODERS)
ALL = LoraSettings(rank=2, alpha=4.0, targets=list(MATRICES))


@pytest.mark.parametrize("prefix", [False, True])
@families
def test_hidden_states_are_those_of_the_formulas(tmp_path: Path, family: str, prefix: bool) -> None:
    directory = kin.write(tmp_path, family, prefix, **({"rope_theta": 500.0} if family in ("llama", "qwen3") else {}))
    config, tensors = json.loads((directory / "config.json").read_text()), load_file(directory / "model.safetensors")
    ids, mask = kin.token_batch(4, 20)
    theirs = hidden_states(config, tensors, ids, mask)
    assert np.abs(load_encoder(directory)(ids, mask).numpy() - theirs)[mask > 0].max() < 1e-4


@families
def test_the_last_token_is_read_at_any_padding(tmp_path: Path, family: str) -> None:
    encoder = load_encoder(kin.write(tmp_path, family), pooling="last")
    ids, mask = kin.token_batch(4, 12)
    hidden, vectors = encoder(ids, mask).numpy(), encoder.pooled(ids, mask).numpy()
    last = mask.sum(axis=1).astype(int) - 1
    np.testing.assert_allclose(vectors, hidden[np.arange(4), last], atol=1e-5)
    longer = [np.pad(each, ((0, 0), (0, 70)), constant_values=fill) for each, fill in ((ids, 9), (mask, 0))]
    np.testing.assert_allclose(encoder.pooled(*longer).numpy(), vectors, atol=1e-5)
    features = pa.table({"title_tokens": load_tokenizer(tmp_path).encode(["ab", ""])})
    inputs = encoder.item_inputs(tmp_path, features, [("title", 9)])
    assert inputs.tokens[inputs.offsets[1:] - 1].tolist() == [2, 2]  # the end of text


@pytest.mark.parametrize("prefix", [False, True])
@families
def test_weights_go_out_by_their_names_bit_for_bit(tmp_path: Path, family: str, prefix: bool) -> None:
    directory = kin.write(tmp_path, family, prefix)
    stored, before = load_file(directory / "model.safetensors"), read_decoder(directory)
    encoder = before.build()
    again = before.stored(encoder.export_weights())
    assert set(again) == set(stored)
    for name, value in again.items():
        np.testing.assert_array_equal(value, stored[name])
    for variable in encoder.trainable_variables:
        variable.assign(variable + 0.1)
    ids, mask = kin.token_batch(2, 8)
    save_file(before.stored(encoder.export_weights()), directory / "model.safetensors")
    np.testing.assert_array_equal(load_encoder(directory)(ids, mask).numpy(), encoder(ids, mask).numpy())


@families
def test_adapters_learn_beside_frozen_kernels(tmp_path: Path, family: str) -> None:
    encoder = load_encoder(kin.write(tmp_path, family))
    ids, mask = kin.token_batch(2, 8)
    before, original = encoder(ids, mask).numpy(), encoder.export_weights()
    (weights,) = encoder.unfreeze(1, ALL, seed=3)
    np.testing.assert_allclose(encoder(ids, mask).numpy(), before, atol=1e-6)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(encoder(ids, mask)[:, :, 0])
    gradients = tape.gradient(loss, [weight.value for weight in weights])
    assert all(gradient is not None for gradient in gradients)
    rng = np.random.default_rng(1)
    for weight in weights:
        weight.assign(rng.normal(0, 0.2, weight.shape))
    output, learned = encoder(ids, mask).numpy(), encoder.export_learned(1)
    assert np.abs(output - before).max() > 1e-2
    for name, value in encoder.export_weights().items():
        adapted = name in learned and value.ndim == 2
        assert np.array_equal(value, original[name]) != adapted, name
    fresh = load_encoder(tmp_path)
    assert fresh.assign_learned(learned) == 1
    np.testing.assert_allclose(fresh(ids, mask).numpy(), output, atol=1e-4)
    starts = [load_encoder(tmp_path).unfreeze(2, ALL, seed=seed)[1][0].numpy() for seed in (5, 5, 6)]
    np.testing.assert_array_equal(starts[0], starts[1])
    assert not np.array_equal(starts[0], starts[2])


def test_layers_of_another_network_are_refused(tmp_path: Path) -> None:
    encoder = load_encoder(kin.write(tmp_path, "llama"))
    learned = encoder.export_learned(1)
    for wrong in (
        {name.replace("layers.1.", "layers.0."): value for name, value in learned.items()},
        dict(list(learned.items())[1:]),
        {**learned, "norm.weight": np.ones(kin.HIDDEN, np.float32)},
    ):
        with pytest.raises(ArtifactError, match="do not fit this encoder"):
            encoder.assign_learned(wrong)


@pytest.mark.parametrize(
    ("family", "config", "reason"),
    [
        ("gpt2", {"activation_function": "relu"}, "activation_function relu is not supported"),
        ("gpt2", {"n_layer": 3}, r"no tensor 'h\.2\..*not a gpt2 checkpoint"),
        ("gpt2", {"n_layer": 0}, "whole numbers above 0"),
        ("gpt2", {"vocab_size": 5}, "not that of config.json"),
        ("gpt2", {"n_positions": 65}, r"tensor 'wpe.weight' of shape \(64, 16\) does not fit"),
        ("llama", {"hidden_act": "gelu"}, "hidden_act must be silu"),
        ("llama", {"head_dim": 8}, "hidden_size must be head_dim times"),
        ("llama", {"intermediate_size": 16}, "does not fit config.json"),
        ("llama", {"rope_scaling": {"rope_type": "yarn"}}, "rope_type yarn is not supported"),
        ("qwen2", {"use_sliding_window": True}, "use_sliding_window is not supported"),
        ("gemma", {"hidden_activation": "gelu"}, "hidden_activation must be gelu_pytorch_tanh"),
    ],
)
def test_checkpoints_that_do_not_fit(tmp_path: Path, family: str, config: dict[str, Any], reason: str) -> None:
    directory = kin.write(tmp_path, family, **config)
    with pytest.raises(ArtifactError, match=reason):
        load_encoder(directory)


def test_a_missing_size_is_named(tmp_path: Path) -> None:
    path = kin.write(tmp_path, "llama") / "config.json"
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "hidden_size"}))
    with pytest.raises(ArtifactError, match="lacks hidden_size"):
        read_encoder(tmp_path)


def test_without_keras_hub_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    stored = read_encoder(kin.write(tmp_path, "llama"))
    with pytest.raises(ConfigError, match=r"interestrec\[decoders\]"):
        stored.build()
