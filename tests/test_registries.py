"""Registries: what stands in a file of its own is registered, and names are checked without TensorFlow."""

import importlib
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from interestrec.model.candidate_loss import CandidateLoss
from interestrec.model.losses import LOSSES
from interestrec.model.task_kind import TaskKind
from interestrec.model.tasks import TASKS
from interestrec.pretraining.text_objective import TextObjective
from interestrec.pretraining.text_objectives import OBJECTIVES
from interestrec.tracking.tracker import TrackerKind
from interestrec.tracking.trackers import TRACKERS
from interestrec.training.negative_source import NegativeSource
from interestrec.training.negatives import NEGATIVE_SOURCES

PACKAGE = Path(__file__).parent.parent / "interestrec"
# Of each registry: where it stands, the files that it registers, and the type of its entries.
REGISTRIES: list[tuple[str, Mapping[str, Any], str, type]] = [
    ("LOSSES in model/losses.py", LOSSES, "model/*_loss.py", CandidateLoss),
    ("OBJECTIVES in pretraining/text_objectives.py", OBJECTIVES, "pretraining/*_objective.py", TextObjective),
    ("TASKS in model/tasks.py", TASKS, "model/*_task.py", TaskKind),
    ("TRACKERS in tracking/trackers.py", TRACKERS, "tracking/*_tracker.py", TrackerKind),
    ("NEGATIVE_SOURCES in training/negatives.py", NEGATIVE_SOURCES, "training/*_negatives.py", NegativeSource),
]
FILES = [
    (where, registry, path.relative_to(PACKAGE.parent).with_suffix("").as_posix().replace("/", "."), kind)
    for where, registry, pattern, kind in REGISTRIES
    for path in sorted(PACKAGE.glob(pattern))
]


@pytest.mark.parametrize(("where", "registry", "name", "kind"), FILES, ids=[name for _, _, name, _ in FILES])
def test_every_file_has_a_registered_entry(where: str, registry: Mapping[str, Any], name: str, kind: type) -> None:
    if name == kind.__module__:
        return
    module = importlib.import_module(name)
    entries = {key: value for key, value in vars(module).items() if isinstance(value, kind)}
    assert entries, f"{name}: end it with an entry, such as NAME = {kind.__name__}(...)"
    for key, entry in entries.items():
        assert entry in registry.values(), f'{name}: add "{key.lower()}": {key} to {where}'


def test_every_registry_has_files() -> None:
    assert {where for where, *_ in FILES} == {where for where, *_ in REGISTRIES}


def test_the_configuration_reads_the_registries_without_loading_what_computes() -> None:
    heavy = ["tensorflow", "keras", "scipy", "pyarrow", "duckdb", "pandas", "sklearn"]
    code = f"import sys, interestrec.config.loading; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
