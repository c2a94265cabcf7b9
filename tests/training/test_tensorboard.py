"""Scalars for TensorBoard."""

from dataclasses import replace
from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow.compat.v1.train import summary_iterator

from interestrec.core.errors import CannotCreateError
from interestrec.training.item_vectors import FrozenTextVectors
from interestrec.training.loop import fit
from interestrec.training.tensorboard import scalar_writer
from tests.training.cut_off import fresh
from tests.training.running import execution
from tests.training.test_loop import CODES, NO_FEATURES, by_auc, phase, scripted, settings, tower, vectors


def written(directory: Path) -> dict[tuple[str, int], float]:
    """Values by name and step of all event files of a directory."""
    found = {}
    for path in directory.glob("events.out.tfevents.*"):
        for event in summary_iterator(str(path)):
            for value in event.summary.value:
                found[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    return found


def test_the_event_files_hold_the_figures_of_a_run(tmp_path: Path) -> None:
    watch = scalar_writer(tmp_path / "board", "finetune")
    assert watch is not None
    watched = replace(execution(), watch=watch)
    texts, values = FrozenTextVectors(vectors()), by_auc(scripted([0.5, 0.75]))
    outcome = fit(tower(), texts, CODES, NO_FEATURES, [phase(1)], settings(1), watched, values, fresh(), seed=3)
    del watch, watched  # the writer flushes when it goes
    history, found = outcome.history, written(tmp_path / "board" / "finetune")
    expected = dict(zip(zip(history.name, history.step, strict=True), history.value, strict=True))
    del expected["valid_auc", 0]  # before the first step
    assert found == pytest.approx(expected, rel=1e-6)
    assert found["valid_auc", 5] == 0.75
    assert {step for name, step in found if name == "loss"} == {1, 2, 3, 4, 5}


def test_without_a_directory_nothing_is_written() -> None:
    assert scalar_writer(None, "finetune") is None


def test_a_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotCreateError, match="cannot create the directory"):
        scalar_writer(tmp_path / "file", "finetune")
