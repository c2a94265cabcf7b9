"""Files of picture encoders: their configuration and their tensors, checked before anything is allocated."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from interestrec.core.errors import ArtifactError
from interestrec.io.encoder_files import WEIGHTS
from interestrec.io.tensors import FLOATS, read_tensor_headers, translate_tensor_errors

Shapes = Mapping[str, tuple[int, ...]]
MAX_SIZE = 4096  # of any number in a configuration
MAX_LAYERS = 256


class PictureTensors(NamedTuple):
    """Tensors by plain name, float32, and the name in the file of each."""

    values: dict[str, np.ndarray]
    names: dict[str, str]


def integer(values: Mapping[str, Any], key: str, path: Path, largest: int = MAX_SIZE) -> int:
    """Return a number of a configuration that is at least 1.

    Raises:
        ArtifactError: it is missing or not such a number.
    """
    value = values.get(key)
    if type(value) is not int or not 1 <= value <= largest:
        raise ArtifactError(f"{path}: '{key}' is {value!r}, not a number from 1 to {largest:,}; choose another encoder")
    return value


def require_values(values: Mapping[str, Any], expected: Mapping[str, Any], path: Path) -> None:
    """Refuse a configuration that asks for what this release does not compute.

    Raises:
        ArtifactError: a key is present with another value.
    """
    for key, value in expected.items():
        if values.get(key, value) != value:
            raise ArtifactError(
                f"{path}: '{key}' is {values[key]!r}, this release computes {value!r} only; choose another encoder"
            )


def read_picture_tensors(
    directory: Path, shapes: Shapes, prefixes: Sequence[str], optional: Shapes | None = None
) -> PictureTensors:
    """Read the tensors of an encoder; others in the file, such as those of a text encoder, are not read.

    Args:
        shapes: of each tensor, by its plain name.
        prefixes: what may stand before all plain names; `` if nothing may.
        optional: tensors that may be missing.

    Raises:
        ArtifactError: a tensor is missing, misshapen, or not finite.
    """
    from safetensors import safe_open

    path = directory / WEIGHTS
    headers = read_tensor_headers(path)
    optional = optional or {}
    prefix = max(prefixes, key=lambda prefix: sum(f"{prefix}{name}" in headers for name in shapes))
    names = {name: f"{prefix}{name}" for name in shapes} | {name: name for name in optional if name in headers}
    if missing := [stored for stored in names.values() if stored not in headers]:
        raise ArtifactError(f"{path}: has no tensor '{missing[0]}' that config.json implies; choose another encoder")
    for name, stored in names.items():
        header, shape = headers[stored], {**shapes, **optional}[name]
        if header.shape != shape or header.type not in FLOATS - {"BF16"}:
            raise ArtifactError(
                f"{path}: tensor '{stored}' is {header.type} {header.shape}, config.json implies a float of {shape}; "
                "fetch it again"
            )
    with translate_tensor_errors(path), safe_open(path, "np") as source:
        values = {name: source.get_tensor(stored).astype(np.float32) for name, stored in names.items()}
    for name, value in values.items():
        if not np.isfinite(value).all():
            raise ArtifactError(f"{path}: tensor '{names[name]}' has values that are not finite; fetch it again")
    return PictureTensors(values, names)


def affine(name: str, *shape: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a weight and its bias."""
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def activation_of(values: Mapping[str, Any], known: Mapping[str, Callable], default: str, path: Path) -> Callable:
    """Return the function that `hidden_act` names.

    Raises:
        ArtifactError: this release does not have it.
    """
    name = values.get("hidden_act", default)
    if name not in known:
        raise ArtifactError(f"{path}: 'hidden_act' is {name!r}, not one of {', '.join(known)}; choose another encoder")
    return known[name]
