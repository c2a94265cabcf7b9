"""Runs the graphs of an export by LiteRT."""

from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter


class LiteRtGraphs:
    """The graphs of a directory by name."""

    def __init__(self, directory: Path) -> None:
        self.interpreter = Interpreter(str(directory / "model.tflite"))

    def run(self, name: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs of a graph by name."""
        runner = self.interpreter.get_signature_runner(name)
        read = runner.get_input_details()
        return dict(runner(**{part: value for part, value in inputs.items() if part in read}))


open_graphs = LiteRtGraphs
