"""EfficientNet-Lite0: the published layout, converted, equals the network of plain Keras layers."""

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import tensorflow as tf

from interestrec.core.errors import ArtifactError, DataError
from interestrec.io import efficientnet_files
from interestrec.io.efficientnet_files import convert_efficientnet_lite
from interestrec.model.picture_encoders import load_picture_encoder
from interestrec.model.picture_preparation import read_preparation
from tests.io.test_torch_tensors import legacy, tensor, text
from tests.picture_kin import pixels

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("bench_pictures")


def published(network) -> dict[str, np.ndarray]:  # type: ignore[no-untyped-def]
    """Random tensors of the published file for the layers of a network, and the classifier."""
    rng = np.random.default_rng(0)
    tensors = {"_fc.weight": np.zeros((1000, 1280), np.float32), "_fc.bias": np.zeros(1000, np.float32)}
    for layer in network.layers:
        if "conv" in layer.name:
            shape = layer.kernel.shape
            order = (2, 3, 0, 1) if "depthwise" in layer.name else (3, 2, 0, 1)
            size = np.prod(shape[:2] if "depthwise" in layer.name else shape[:3])
            tensors[f"{layer.name}.weight"] = rng.normal(0, size**-0.5, shape).astype(np.float32).transpose(order)
        elif "bn" in layer.name:
            channels = layer.gamma.shape[0]
            for part in ("weight", "bias", "running_mean", "running_var"):
                values = rng.normal(0, 0.3, channels)
                tensors[f"{layer.name}.{part}"] = (1 + values**2 if part != "bias" else values).astype(np.float32)
            tensors[f"{layer.name}.num_batches_tracked"] = np.float32(0)
    return tensors


def write_published(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """As the published file: convolutions have the strides of TensorFlow's order."""
    entries, storages = b"", {}
    for number, (name, value) in enumerate(tensors.items()):
        base = np.ascontiguousarray(value.transpose(2, 3, 1, 0)) if value.ndim == 4 else value
        view = base.transpose(3, 2, 0, 1) if value.ndim == 4 else base
        strides = tuple(step // 4 for step in view.strides)
        entries += text(name) + tensor(str(number), base.size, 0, view.shape, strides)
        storages[str(number)] = base.reshape(-1)
    path.write_bytes(legacy(entries, storages))


def test_the_converted_network_equals_that_of_keras(tmp_path: Path, bench: ModuleType) -> None:
    network = bench.keras_network(64)
    tensors = published(network)
    bench.assign(network, tensors)
    write_published(tmp_path / "net.pth", tensors)
    convert_efficientnet_lite(tmp_path, tmp_path)
    encoder = load_picture_encoder(tmp_path)
    assert (encoder.width, encoder.size) == (1280, 224)
    values = pixels(2, 64)  # convolutions take any size
    expected = network(values).numpy()
    assert expected.std() > 0.01
    np.testing.assert_allclose(encoder.vectors(tf.constant(values)).numpy(), expected, atol=1e-4)


def test_the_preparation_is_that_of_the_published_network(tmp_path: Path, bench: ModuleType) -> None:
    write_published(tmp_path / "net.pth", published(bench.keras_network(32)))
    convert_efficientnet_lite(tmp_path / "net.pth", tmp_path)
    preparation = read_preparation(tmp_path)
    assert (preparation.resized, preparation.size) == (256, 224)
    levels = tf.constant([[[[127, 255, 0]]]], tf.uint8)
    np.testing.assert_allclose(preparation.normalise(levels)[0, 0, 0], [0, 1, -127 / 128], atol=1e-6)


def test_another_network_and_no_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has 0 files \*\.pth"):
        convert_efficientnet_lite(tmp_path, tmp_path)
    write_published(tmp_path / "net.pth", {"a": np.zeros(3, np.float32)})
    with pytest.raises(ArtifactError, match="is not an EfficientNet-Lite0"):
        convert_efficientnet_lite(tmp_path, tmp_path)
    assert not (tmp_path / efficientnet_files.WEIGHTS).exists()
