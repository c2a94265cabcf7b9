"""Pictures per second of interestrec and of the same network in plain Keras; for `scripts/bench.py pictures`.

The network is EfficientNet-Lite0 with the weights in a directory. The plain side is what one writes first: Pillow
opens, resizes and crops the pictures one after the other, then `predict` of a Keras model runs with its default batch.
Both sides run in one process and take turns. `processor_seconds` compares the work where other processes disturb the
clock.
"""

import argparse
import io
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

_STAGES = ((1, 16, 1, 3, 1), (2, 24, 6, 3, 2), (2, 40, 6, 5, 2), (3, 80, 6, 3, 2))
_STAGES += ((3, 112, 6, 5, 1), (4, 192, 6, 5, 2), (1, 320, 6, 3, 1))  # blocks, channels, expansion, kernel, stride


def keras_network(size: int) -> Any:
    """Return EfficientNet-Lite0 of Keras layers, batch normalisation unfolded, from pixels to 1280 means."""
    import keras
    from keras import layers

    def normed(x: Any, name: str, active: bool = True) -> Any:
        x = layers.BatchNormalization(epsilon=1e-3, name=name)(x)
        return layers.ReLU(6.0)(x) if active else x

    def convolved(x: Any, channels: int, name: str, norm: str, active: bool = True, **options: Any) -> Any:
        x = layers.Conv2D(channels, padding="same", use_bias=False, name=name, **options)(x)
        return normed(x, norm, active)

    inputs = layers.Input((size, size, 3))
    x, width, number = convolved(inputs, 32, "_conv_stem", "_bn0", kernel_size=3, strides=2), 32, 0
    for count, channels, expansion, kernel, stride in _STAGES:
        for repeat in range(count):
            block, step, y = f"_blocks.{number}.", 1 if repeat else stride, x
            if expansion > 1:
                y = convolved(y, width * expansion, f"{block}_expand_conv", f"{block}_bn0", kernel_size=1)
            depthwise = layers.DepthwiseConv2D(kernel, step, "same", use_bias=False, name=f"{block}_depthwise_conv")
            y = normed(depthwise(y), f"{block}_bn1")
            y = convolved(y, channels, f"{block}_project_conv", f"{block}_bn2", False, kernel_size=1)
            x = layers.Add()([x, y]) if step == 1 and width == channels else y
            width, number = channels, number + 1
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(convolved(x, 1280, "_conv_head", "_bn1", kernel_size=1)))


def assign(network: Any, tensors: dict[str, np.ndarray]) -> None:
    """Set the weights from the tensors of the published file."""
    for layer in network.layers:
        if "conv" in layer.name:
            order = (2, 3, 0, 1) if "depthwise" in layer.name else (2, 3, 1, 0)
            layer.set_weights([tensors[f"{layer.name}.weight"].transpose(order)])
        elif "bn" in layer.name:
            parts = ("weight", "bias", "running_mean", "running_var")
            layer.set_weights([tensors[f"{layer.name}.{part}"] for part in parts])


def plain_side(encoder: Path, weights: Path | None) -> Callable[[list[bytes]], np.ndarray]:
    """Return a function from pictures to vectors with Pillow and Keras; random weights if there is no file."""
    from PIL import Image

    from interestrec.io.torch_tensors import read_torch_tensors
    from interestrec.model.picture_preparation import read_preparation

    preparation = read_preparation(encoder)
    size, network = preparation.size, keras_network(preparation.size)
    if weights is not None:
        assign(network, read_torch_tensors(weights))

    def levels(content: bytes) -> np.ndarray:
        picture = Image.open(io.BytesIO(content)).convert("RGB")
        short = min(picture.size)
        target = tuple(preparation.resized * side // short for side in picture.size)
        picture = picture.resize(target, Image.Resampling.BICUBIC)
        left, top = ((side - size) // 2 for side in target)
        return np.asarray(picture.crop((left, top, left + size, top + size)))

    def run(contents: list[bytes]) -> np.ndarray:
        pixels = np.stack([levels(content) for content in contents]).astype(np.float32)
        pixels = (pixels * preparation.scale - np.float32(preparation.mean)) / np.float32(preparation.deviation)
        return network.predict(pixels, verbose=0)

    return run


def interestrec_side(encoder: Path, directory: Path) -> Callable[[list[bytes]], np.ndarray]:
    """Return the same function by `encode_pictures`, with the check of `preprocess`; files are written beforehand."""
    from interestrec.corpus.picture_table import picture_table
    from interestrec.encoding.picture_vectors import encode_pictures
    from interestrec.io.picture_sources import PictureFiles
    from interestrec.model.picture_encoders import load_picture_encoder
    from interestrec.model.picture_preparation import read_preparation

    network, preparation = load_picture_encoder(encoder), read_preparation(encoder)

    def run(contents: list[bytes]) -> np.ndarray:
        source = PictureFiles(directory, [f"{number}.jpg" for number in range(len(contents))])
        return encode_pictures(network, preparation, picture_table(source)[0], source).vectors

    return run


def pictures_of(count: int, distinct: int, size: int, photographs: Path | None) -> list[bytes]:
    """Return JPEGs of `size` pixels: crops of photographs, or noise on squares; every `distinct`-th one repeats."""
    from PIL import Image

    rng = np.random.default_rng(0)
    files = sorted(photographs.iterdir()) if photographs else []
    contents = []
    for number in range(distinct):
        if files:
            picture = Image.open(files[number % len(files)]).convert("RGB").resize((size + 64, size + 64))
            left, top = (int(place) for place in rng.integers(0, 64, 2))
            picture = picture.crop((left, top, left + size, top + size))
        else:
            squares = np.kron(rng.integers(0, 256, (size // 8, size // 8, 3)), np.ones((8, 8, 1)))
            picture = Image.fromarray(np.clip(squares + rng.normal(0, 20, squares.shape), 0, 255).astype(np.uint8))
        target = io.BytesIO()
        picture.save(target, "JPEG", quality=90)
        contents.append(target.getvalue())
    return [contents[number % distinct] for number in range(count)]


def bench(encoder: Path, weights: Path | None, photographs: Path | None, count: int, size: int, repeats: int) -> None:
    """Print one JSON line per side, with and without duplicates, and the ratios."""
    for distinct in (count, max(1, count // 2)):
        contents = pictures_of(count, distinct, size, photographs)
        with tempfile.TemporaryDirectory() as scratch:
            for number, content in enumerate(contents):
                (Path(scratch) / f"{number}.jpg").write_bytes(content)
            sides = {"interestrec": interestrec_side(encoder, Path(scratch)), "keras": plain_side(encoder, weights)}
            times: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
            vectors = {side: run(contents[:32]) for side, run in sides.items()}  # warm up
            for _ in range(repeats):
                for side, run in sides.items():
                    wall, processor = time.perf_counter(), time.process_time()
                    vectors[side] = run(contents)
                    times[side].append((time.perf_counter() - wall, time.process_time() - processor))
        medians = {
            side: [statistics.median(column) for column in zip(*pairs, strict=True)] for side, pairs in times.items()
        }
        record: dict[str, Any] = {"what": "pictures", "pictures": count, "distinct": distinct, "size": size}
        for side, (wall, processor) in medians.items():
            rates = {"pictures_a_second": round(count / wall, 1), "processor_seconds": round(processor, 2)}
            print(json.dumps({**record, "tool": side, **rates}), flush=True)
        ratios = [round(plain / ours, 2) for plain, ours in zip(medians["keras"], medians["interestrec"], strict=True)]
        ratio = {"pictures_a_second": ratios[0], "processor_seconds": ratios[1]}
        if weights is not None:
            ratio["largest_difference"] = float(np.abs(vectors["keras"] - vectors["interestrec"]).max())
        print(json.dumps({**record, "tool": "ratio", **ratio}), flush=True)


def add_parser(benches: Any) -> None:
    """Add the subcommand `pictures`."""
    parser = benches.add_parser("pictures", help="pictures per second, compared with plain Keras on the CPU")
    parser.add_argument("--encoder", type=Path, required=True, metavar="DIR", help="EfficientNet-Lite0")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="its published .pth, to compare the vectors")
    parser.add_argument("--photographs", type=Path, metavar="DIR", help="to crop pictures from; noise by default")
    parser.add_argument("--count", type=int, default=1000, help="1,000 by default")
    parser.add_argument("--size", type=int, default=224, help="of a picture in pixels; 224 by default")
    parser.add_argument("--repeats", type=int, default=3, help="3 by default")


def run(arguments: argparse.Namespace) -> None:
    """Run the benchmark with the arguments of the command line."""
    options = (arguments.count, arguments.size, arguments.repeats)
    bench(arguments.encoder.resolve(), arguments.weights, arguments.photographs, *options)
