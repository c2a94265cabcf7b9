"""The registry of runtimes that a model is exported for, by the values of `export --to`."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from interestrec.core.errors import UsageError

if TYPE_CHECKING:
    from interestrec.exporting.exported_graph import ExportedGraph

_SHIPPED = Path(__file__).parent / "shipped"


class RunsGraphs(Protocol):
    """The graphs of a directory in another runtime."""

    def run(self, name: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs of a graph by name; inputs that it does not have are left out."""


@dataclass(frozen=True)
class RuntimeFormat:
    """How graphs are written for a runtime, and the module that runs them there, which the export has as runtime.py."""

    summary: str
    runtime: str  # name of a module in `shipped`
    packages: tuple[str, ...]  # that writing and running need beside ours
    write: Callable[["ExportedGraph", Path], None]
    quantise: Callable[[Path], None] | None = None

    def require_packages(self, to: str) -> None:
        """Check that the packages are installed.

        Raises:
            UsageError: one is not.
        """
        for name in self.packages:
            try:
                import_module(name)
            except ImportError as error:
                raise UsageError(
                    f"--to {to} needs the package {name.replace('_', '-')} ({error}); pip install 'interestrec[export]'"
                ) from error

    def open(self, directory: Path) -> RunsGraphs:
        """Open what `write` wrote in the runtime, by the code that is shipped."""
        graphs: RunsGraphs = import_module(f"interestrec.exporting.shipped.{self.runtime}").open_graphs(directory)
        return graphs

    def write_scripts(self, directory: Path, embeds: bool) -> None:
        """Write the scripts that answer requests in the runtime, and embed new texts if the export can."""
        shutil.copyfile(_SHIPPED / f"{self.runtime}.py", directory / "runtime.py")
        shutil.copyfile(_SHIPPED / "requested_lists.py", directory / "recommend.py")
        if embeds:
            shutil.copyfile(_SHIPPED / "embedded_texts.py", directory / "embed.py")


def _write_savedmodel(graph: "ExportedGraph", directory: Path) -> None:
    from interestrec.model.backend import tf

    tf.saved_model.save(graph, directory / "saved_model", signatures=graph.functions)


def _write_onnx(graph: "ExportedGraph", directory: Path) -> None:
    from interestrec.exporting.onnx_graphs import write_onnx

    write_onnx(graph, directory)


def _quantise_onnx(directory: Path) -> None:
    from interestrec.exporting.onnx_graphs import quantise

    quantise(directory)


def _write_litert(graph: "ExportedGraph", directory: Path) -> None:
    from interestrec.exporting.litert_graphs import write_litert

    write_litert(graph, directory)


RUNTIME_FORMATS = {
    "savedmodel": RuntimeFormat("TensorFlow and TensorFlow Serving", "savedmodel_runtime", (), _write_savedmodel),
    "onnx": RuntimeFormat(
        "onnxruntime", "onnx_runtime", ("tf2onnx", "onnx", "onnxruntime"), _write_onnx, _quantise_onnx
    ),
    "litert": RuntimeFormat("LiteRT, on phones and browsers", "litert_runtime", ("ai_edge_litert",), _write_litert),
}
