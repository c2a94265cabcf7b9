"""Headers of safetensors files, read without reading tensors."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from interestrec.core.errors import ArtifactError, from_os_error

_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
FLOATS = frozenset({"F64", "F32", "F16", "BF16"})


class TensorHeader(NamedTuple):
    """Type and shape of a tensor."""

    type: str  # F32, I64, …
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Size of the values; an unknown type counts as the widest."""
        cells = 1
        for size in self.shape:
            cells *= size
        return cells * _BYTES.get(self.type, 8)


def read_tensor_headers(path: Path) -> Mapping[str, TensorHeader]:
    """Read the header of each tensor of a file, by name.

    Raises:
        InputMissingError, ArtifactError: as for `translate_tensor_errors`.
    """
    from safetensors import safe_open

    with translate_tensor_errors(path), safe_open(path, "np") as source:
        slices = {name: source.get_slice(name) for name in source.keys()}  # noqa: SIM118 - not a mapping
        return {name: TensorHeader(part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}


@contextmanager
def translate_tensor_errors(path: Path) -> Iterator[None]:
    """Translate errors in reading a safetensors file within the block into user-facing errors.

    Raises:
        InputMissingError: the file does not exist.
        ArtifactError: the file is not in the safetensors layout.
    """
    from safetensors import SafetensorError

    try:
        yield
    except OSError as error:
        raise from_os_error(error, path) from error
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise ArtifactError(f"{path}: not a valid safetensors file ({error}); fetch or build it again") from error
