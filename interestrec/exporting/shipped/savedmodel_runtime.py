"""Runs the graphs of an export by TensorFlow, as TensorFlow Serving does."""

from pathlib import Path

import numpy as np
import tensorflow as tf


class SavedModelGraphs:
    """The graphs of a directory by name."""

    def __init__(self, directory: Path) -> None:
        self.loaded = tf.saved_model.load(str(directory / "saved_model"))

    def run(self, name: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs of a graph by name."""
        graph = self.loaded.signatures[name]
        read = graph.structured_input_signature[1]
        found = graph(**{part: tf.constant(value) for part, value in inputs.items() if part in read})
        return {part: value.numpy() for part, value in found.items()}


open_graphs = SavedModelGraphs
