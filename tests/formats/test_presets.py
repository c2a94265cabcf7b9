"""Formats with known columns: each has a template of its name that reads files under their published names."""

from pathlib import Path

import numpy as np
import pytest

from interestrec.config.loading import load_settings
from interestrec.config.templates import template_names
from interestrec.formats.readers import READERS
from interestrec.formats.table_data import TableData
from interestrec.stages.check import check
from interestrec.stages.preprocess import run
from interestrec.stages.run import RunContext
from tests.formats.inputs import KINDS

CONFIGS = Path(__file__).parents[2] / "configs"
PRESETS = [name for name, reader in READERS.items() if issubclass(reader.section, TableData) and name != "events"]


def test_there_are_presets() -> None:
    assert len(PRESETS) >= 5
    assert set(PRESETS) <= set(template_names())


@pytest.mark.parametrize("name", PRESETS)
def test_check_and_preprocess_take_the_template(tmp_path: Path, tiny_encoder: Path, name: str) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    KINDS[name](raw, np.random.default_rng(0))
    changes = {
        "data.root": raw,
        "workspace": tmp_path / "workspace",
        "encoders.text.source": tiny_encoder,
        "data.max_items_without_text": 1,
        "preprocess.split.valid": 0.2,  # the sample is too small for less
        "preprocess.split.test": 0.2,
        "runtime.threads": 1,
    }
    settings = load_settings(CONFIGS / f"{name}.yaml", [f"{key}={value}" for key, value in changes.items()])
    assert settings.data.format == name
    assert [finding.sentence for finding in check(settings, 1_000) if finding.error] == []
    counts = run(RunContext(settings)).artifact.path / "quality.json"
    assert '"items"' in counts.read_text()
