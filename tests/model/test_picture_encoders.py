"""Picture encoders: equal to Keras' and transformers' own networks, differentiable, exported as they were read."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file, save_file

from interestrec.core.errors import ArtifactError, InputMissingError
from interestrec.model.picture_encoders import PICTURE_ENCODERS, load_picture_encoder
from tests.picture_kin import CONFIGS, HEADS, HIDDEN, LAYERS, PATCH, SIZE, pixels, write

EVERY = pytest.mark.parametrize("kind", list(CONFIGS))


def vectors(directory: Path, values: np.ndarray) -> np.ndarray:
    return load_picture_encoder(directory).vectors(tf.constant(values)).numpy()


def test_the_tests_write_every_kind() -> None:
    assert set(CONFIGS) == set(PICTURE_ENCODERS)


def _heads(kernel: np.ndarray) -> np.ndarray:
    return kernel.T.reshape(HIDDEN, HEADS, -1)


def _assign_attention(layer: Any, query: Any, key: Any, value: Any, output: Any) -> None:
    """Each is (kernel, bias) in the layout of Hugging Face."""
    for part, (kernel, bias) in (("query", query), ("key", key), ("value", value)):
        dense = getattr(layer, f"{part}_dense")
        dense.kernel.assign(_heads(kernel))
        dense.bias.assign(bias.reshape(HEADS, -1))
    layer.output_dense.kernel.assign(output[0].T.reshape(HEADS, -1, HIDDEN))
    layer.output_dense.bias.assign(output[1])


def _vit_oracle(directory: Path, tensors: dict[str, np.ndarray], values: np.ndarray) -> np.ndarray:
    """KerasHub reads the directory itself."""
    from keras_hub.models import ViTBackbone

    return ViTBackbone.from_preset(str(directory), layer_norm_epsilon=1e-12)(values).numpy()[:, 0]


def _assign_clip_blocks(network: Any, both: Callable[[str], Any], attention: str, norm: str, mlp: Callable) -> None:
    for number, block in enumerate(network.encoder_layers):
        name = f"encoder.layers.{number}"
        parts = [both(f"{name}.self_attn.{part}_proj") for part in ("q", "k", "v", "out")]
        _assign_attention(getattr(block, attention), *parts)
        for place in "12":
            getattr(block, f"{norm}{place}").set_weights(both(f"{name}.layer_norm{place}"))
        for dense, part in zip(mlp(block), ("fc1", "fc2"), strict=True):
            kernel, bias = both(f"{name}.mlp.{part}")
            dense.set_weights([kernel.T, bias])


def _clip_oracle(directory: Path, tensors: dict[str, np.ndarray], values: np.ndarray) -> np.ndarray:
    from keras_hub.src.models.clip.clip_vision_encoder import CLIPVisionEncoder

    def both(name: str) -> tuple[np.ndarray, np.ndarray]:
        return tensors[f"{name}.weight"], tensors[f"{name}.bias"]

    network = CLIPVisionEncoder(PATCH, HIDDEN, LAYERS, HEADS, 32, "quick_gelu", image_shape=(SIZE, SIZE, 3))
    network.embedding.class_embedding.assign(tensors["embeddings.class_embedding"])
    network.embedding.patch_embedding.kernel.assign(tensors["embeddings.patch_embedding.weight"].transpose(2, 3, 1, 0))
    network.embedding.position_embedding.embeddings.assign(tensors["embeddings.position_embedding.weight"])
    network.embedding.position_ids.assign(np.arange((SIZE // PATCH) ** 2 + 1)[None])
    network.pre_layer_norm.set_weights(both("pre_layrnorm"))
    network.layer_norm.set_weights(both("post_layernorm"))
    _assign_clip_blocks(network, both, "attention", "layer_norm_", lambda block: (block.dense_1, block.dense_2))
    first = network(values).numpy()[:, 0]
    projection = tensors.get("visual_projection.weight")
    return first if projection is None else first @ projection.T


def _siglip_oracle(directory: Path, tensors: dict[str, np.ndarray], values: np.ndarray) -> np.ndarray:
    from keras_hub.src.models.siglip.siglip_vision_encoder import SigLIPVisionEncoder

    def both(name: str) -> tuple[np.ndarray, np.ndarray]:
        return tensors[f"{name}.weight"], tensors[f"{name}.bias"]

    network = SigLIPVisionEncoder(PATCH, HIDDEN, LAYERS, HEADS, 32, image_shape=(SIZE, SIZE, 3))
    kernel, bias = both("embeddings.patch_embedding")
    network.embedding.patch_embedding.set_weights([kernel.transpose(2, 3, 1, 0), bias])
    network.embedding.position_embedding.embeddings.assign(tensors["embeddings.position_embedding.weight"])
    network.post_layer_norm.set_weights(both("post_layernorm"))
    _assign_clip_blocks(network, both, "self_attn", "layer_norm", lambda block: (block.mlp.fc1, block.mlp.fc2))
    kernels = np.split(tensors["head.attention.in_proj_weight"], 3)
    biases = np.split(tensors["head.attention.in_proj_bias"], 3)
    parts = list(zip(kernels, biases, strict=True))
    _assign_attention(network.head.attention, *parts, both("head.attention.out_proj"))
    network.head.layer_norm.set_weights(both("head.layernorm"))
    for dense, name in ((network.head.mlp.fc1, "head.mlp.fc1"), (network.head.mlp.fc2, "head.mlp.fc2")):
        dense.set_weights([both(name)[0].T, both(name)[1]])
    network.head.probe.assign(tensors["head.probe"])
    return network(values).numpy()


def _convnext_oracle(directory: Path, tensors: dict[str, np.ndarray], values: np.ndarray) -> np.ndarray:
    """Keras' own ConvNeXt, from its pixels to the mean; only the epsilon of the last norm is another one."""
    from keras.src.applications.convnext import ConvNeXt

    config = CONFIGS["convnext"]
    network = ConvNeXt(
        config["depths"],
        config["hidden_sizes"],
        include_preprocessing=False,
        include_top=False,
        weights=None,
        input_shape=(SIZE, SIZE, 3),
        pooling="avg",
        name="net",
        weights_name="convnext_tiny",
    )

    def put(layer: Any, name: str, order: tuple[int, ...] | None = None) -> None:
        kernel, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
        layer.set_weights([kernel if order is None else kernel.transpose(order), bias])

    convolution = (2, 3, 1, 0)
    put(network.get_layer("net_stem").layers[0], "embeddings.patch_embeddings", convolution)
    put(network.get_layer("net_stem").layers[1], "embeddings.layernorm")
    for stage, depth in enumerate(config["depths"]):
        if stage:
            down = network.get_layer(f"net_downsampling_block_{stage - 1}").layers
            put(down[0], f"encoder.stages.{stage}.downsampling_layer.0")
            put(down[1], f"encoder.stages.{stage}.downsampling_layer.1", convolution)
        for layer in range(depth):
            ours, theirs = f"encoder.stages.{stage}.layers.{layer}", f"net_stage_{stage}_block_{layer}"
            put(network.get_layer(f"{theirs}_depthwise_conv"), f"{ours}.dwconv", convolution)
            put(network.get_layer(f"{theirs}_layernorm"), f"{ours}.layernorm")
            put(network.get_layer(f"{theirs}_pointwise_conv_1"), f"{ours}.pwconv1", (1, 0))
            put(network.get_layer(f"{theirs}_pointwise_conv_2"), f"{ours}.pwconv2", (1, 0))
            network.get_layer(f"{theirs}_layer_scale").set_weights([tensors[f"{ours}.layer_scale_parameter"]])
    put(network.layers[-1], "layernorm")
    return network(values).numpy()


_ORACLES = {
    "vit": _vit_oracle,
    "clip_vision_model": _clip_oracle,
    "clip": _clip_oracle,
    "siglip_vision_model": _siglip_oracle,
    "siglip": _siglip_oracle,
    "convnext": _convnext_oracle,
}


@pytest.mark.parametrize("projection", [False, True])
@pytest.mark.parametrize("kind", list(_ORACLES))
def test_vectors_equal_those_of_keras(tmp_path: Path, kind: str, projection: bool) -> None:
    if projection and not kind.startswith("clip"):
        pytest.skip("only CLIP projects")
    directory = write(tmp_path, kind, projection=projection)
    tensors = load_file(directory / "model.safetensors")
    plain = {name.removeprefix("vision_model."): value for name, value in tensors.items()}
    expected = _ORACLES[kind](directory, plain, pixels(3))
    ours = vectors(directory, pixels(3))
    assert ours.shape == expected.shape
    assert ours.std() > 0.1
    np.testing.assert_allclose(ours, expected, atol=1e-4)


# Runs in a process of its own, because PyTorch and TensorFlow do not load into one.
_WITH_TRANSFORMERS = """
import sys
import numpy as np
import torch
import transformers

directory, name, output, part = sys.argv[1:]
model = getattr(transformers, name).from_pretrained(directory).eval()
with torch.no_grad():
    results = model(pixel_values=torch.tensor(np.load(f"{directory}/pixels.npy").transpose(0, 3, 1, 2)))
np.save(output, (results.last_hidden_state[:, 0] if part == "first" else results[part]).numpy())
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "name", "part"),
    [
        ("vit", "ViTModel", "first"),
        ("clip_vision_model", "CLIPVisionModel", "pooler_output"),
        ("clip_vision_model", "CLIPVisionModelWithProjection", "image_embeds"),
        ("clip", "CLIPVisionModelWithProjection", "image_embeds"),
        ("siglip_vision_model", "SiglipVisionModel", "pooler_output"),
        ("siglip", "SiglipVisionModel", "pooler_output"),
        ("convnext", "ConvNextModel", "pooler_output"),
    ],
)
def test_vectors_equal_those_of_transformers(tmp_path: Path, kind: str, name: str, part: str) -> None:
    if importlib.util.find_spec("torch") is None:
        pytest.skip("needs torch")
    directory = write(tmp_path, kind, projection=part == "image_embeds")
    np.save(tmp_path / "pixels.npy", pixels(3))
    command = [sys.executable, "-c", _WITH_TRANSFORMERS, str(directory), name, str(tmp_path / "out.npy"), part]
    subprocess.run(command, check=True, capture_output=True)
    ours = vectors(directory, pixels(3))
    np.testing.assert_allclose(ours, np.load(tmp_path / "out.npy"), atol=1e-4)


@EVERY
def test_every_weight_has_a_gradient_and_is_exported_under_its_name(tmp_path: Path, kind: str) -> None:
    projection = kind.startswith("clip")
    directory = write(tmp_path, kind, projection=projection)
    encoder = load_picture_encoder(directory)
    stored = load_file(directory / "model.safetensors")
    exported = encoder.export_weights()
    assert exported.keys() == stored.keys()
    for name, value in stored.items():
        np.testing.assert_array_equal(exported[name], value)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(encoder.vectors(tf.constant(pixels(2))) ** 2)
    gradients = tape.gradient(loss, [variable.value for variable in encoder.trainable_variables])
    assert len(gradients) == len(stored)
    assert all(gradient is not None for gradient in gradients)
    keras.optimizers.SGD(1e-4).apply(gradients, encoder.trainable_variables)
    save_file(encoder.export_weights(), directory / "model.safetensors")
    np.testing.assert_array_equal(vectors(directory, pixels(2)), encoder.vectors(tf.constant(pixels(2))).numpy())
    assert any((encoder.export_weights()[name] != value).any() for name, value in stored.items())


@EVERY
def test_a_tensor_that_is_missing_misshapen_or_not_finite_is_named(tmp_path: Path, kind: str) -> None:
    directory = write(tmp_path, kind)
    path = directory / "model.safetensors"
    tensors = load_file(path)
    name, value = sorted(tensors.items())[len(tensors) // 2]
    plain = name.removeprefix("vit.").removeprefix("vision_model.")
    for damaged, said in (
        ({}, "has no tensor"),
        ({name: np.zeros((*value.shape, 2), np.float32)}, "implies a float of"),
        ({name: np.zeros(value.shape, np.int32)}, "implies a float of"),
        ({name: np.full(value.shape, np.inf, np.float32)}, "not finite"),
    ):
        save_file({**{n: v for n, v in tensors.items() if n != name}, **damaged}, path)
        with pytest.raises(ArtifactError, match=said) as raised:
            load_picture_encoder(directory)
        assert plain in str(raised.value)


@pytest.mark.parametrize(
    ("kind", "config", "said"),
    [
        ("vit", {"model_type": "bert"}, "unknown model_type of pictures 'bert'"),
        ("vit", {"num_channels": 1}, "this release computes 3 only"),
        ("vit", {"hidden_size": 17}, "do not fit each other"),
        ("vit", {"num_hidden_layers": 10**9}, "not a number from 1 to 256"),
        ("vit", {"hidden_size": True}, "not a number"),
        ("vit", {"hidden_act": "swish"}, "not one of gelu"),
        ("vit", {"layer_norm_eps": "x"}, "not between 0 and 1"),
        ("siglip_vision_model", {"vision_use_head": False}, "this release computes True only"),
        ("clip", {"vision_config": 3}, "is not an object"),
        ("convnext", {"depths": [1]}, "do not fit each other"),
        ("convnext", {"depths": [1, 1, -1, 1]}, "'depths' is -1"),
    ],
)
def test_a_configuration_that_cannot_be_run_is_refused(tmp_path: Path, kind: str, config: dict, said: str) -> None:
    directory = write(tmp_path, kind)
    values = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps({**values, **config}))
    with pytest.raises(ArtifactError, match=said):
        load_picture_encoder(directory)


def test_a_directory_without_an_encoder(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="no encoder here"):
        load_picture_encoder(tmp_path)
