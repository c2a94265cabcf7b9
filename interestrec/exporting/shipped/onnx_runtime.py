"""Runs the graphs of an export by onnxruntime."""

from pathlib import Path

import numpy as np
import onnxruntime


class OnnxGraphs:
    """The graphs of a directory by name."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.sessions: dict[str, onnxruntime.InferenceSession] = {}

    def run(self, name: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs of a graph by name."""
        if name not in self.sessions:
            path = str(self.directory / f"{name}.onnx")
            self.sessions[name] = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        session = self.sessions[name]
        read = {part.name for part in session.get_inputs()}
        found = session.run(None, {part: value for part, value in inputs.items() if part in read})
        return dict(zip((part.name for part in session.get_outputs()), found, strict=True))


open_graphs = OnnxGraphs
