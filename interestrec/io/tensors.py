"""What a safetensors file says of its tensors, read before any of them is."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from interestrec.core.errors import ArtifactError, from_os_error

_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
FLOATS = frozenset({"F64", "F32", "F16", "BF16"})


class TensorHeader(NamedTuple):
    """Type and shape of a tensor."""

    type: str  # of the layout: F32, I64, …
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Of its values; a type that is unknown here counts as the widest."""
        cells = 1
        for size in self.shape:
            cells *= size
        return cells * _BYTES.get(self.type, 8)


def read_tensor_headers(path: Path) -> Mapping[str, TensorHeader]:
    """The tensors of a file by name; only its header is read.

    Raises:
        InputMissingError, ArtifactError: as `told_of`.
    """
    from safetensors import safe_open

    with describe_tensors(path), safe_open(path, "np") as source:
        slices = {name: source.get_slice(name) for name in source.keys()}  # noqa: SIM118 - it is no mapping
        return {name: TensorHeader(part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}


@contextmanager
def describe_tensors(path: Path) -> Iterator[None]:
    """What goes wrong in reading a file of tensors, as an error with a message for people.

    Raises:
        InputMissingError: there is no such file.
        ArtifactError: the file is not in the safetensors layout.
    """
    from safetensors import SafetensorError

    try:
        yield
    except OSError as error:
        raise from_os_error(error, path) from error
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise ArtifactError(f"{path}: not a valid safetensors file ({error}); fetch or build it again") from error
