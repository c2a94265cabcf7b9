"""What holds for every format of the registry, without being asked for each."""

import importlib
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from interestrec import formats
from interestrec.config.loading import load_settings
from interestrec.core.errors import ConfigError
from interestrec.formats.data_settings import DataSettings
from interestrec.formats.readers import READERS, AnyData, read_raw
from interestrec.rawfiles.raw_log import RawLog
from tests.formats.inputs import KINDS, kinds_of, settings_of

DOCUMENTED = Path(__file__).parents[2] / "docs" / "your-data.md"
MODULES = sorted(path.stem for path in Path(formats.__file__).parent.glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("name", MODULES)
def test_every_section_of_a_format_is_registered(name: str) -> None:
    module = importlib.import_module(f"interestrec.formats.{name}")
    for section in vars(module).values():
        own = inspect.isclass(section) and section.__module__ == module.__name__
        if own and issubclass(section, DataSettings) and "format" in section.model_fields:
            [key] = get_args(section.model_fields["format"].annotation)
            function = f"{name}.read" if hasattr(module, "read") else "read_preset"
            entry = f'"{key}": Reader({name}.{section.__name__}, {function})'
            registered = READERS.get(key)
            assert registered is not None, f"write `{entry}` into READERS of interestrec/formats/readers.py"
            assert registered.section is section


@pytest.mark.parametrize("name", READERS)
def test_a_format_has_the_name_of_its_entry(name: str) -> None:
    assert get_args(READERS[name].section.model_fields["format"].annotation) == (name,)
    assert READERS[name].section in get_args(AnyData)


@pytest.mark.parametrize("name", READERS)
def test_a_format_is_documented(name: str) -> None:
    assert f"| `{name}` |" in DOCUMENTED.read_text(), f"describe {name} in the table of formats of docs/your-data.md"


def read_kind(directory: Path, kind: str, **changes: Any) -> RawLog:
    (directory / "raw").mkdir()
    data = KINDS[kind](directory / "raw", np.random.default_rng(0))
    log = RawLog(directory / "raw", threads=1, **changes)
    read_raw(log, settings_of(directory, data, directory).data)
    return log


@pytest.mark.parametrize(("name", "sample"), [(name, sample) for name in READERS for sample in (None, 5)])
def test_examples_are_read_and_every_row_is_accounted_for(tmp_path: Path, name: str, sample: int | None) -> None:
    for kind in kinds_of(name):
        (tmp_path / kind).mkdir()
        log = read_kind(tmp_path / kind, kind, sample=sample)
        [settled] = [rule for rule in log.quality.rules if rule["rule"] == "bad rows"]
        assert settled["rows_in"] == settled["rows_out"] == log.rows_read > 0
        assert log.rows_read == log.rows_kept + log.rows_left_out
        assert log.rows("items")
        assert log.rows("events") + log.rows("impressions")


@pytest.mark.parametrize("name", READERS)
def test_a_section_names_all_its_files(tmp_path: Path, name: str) -> None:
    for kind in kinds_of(name):
        raw = tmp_path / kind / "raw"
        raw.mkdir(parents=True)
        data = settings_of(tmp_path / kind, KINDS[kind](raw, np.random.default_rng(0)), tmp_path).data
        assert {str(data.root / file) for file in data.names} == {str(path) for path in raw.iterdir()}


def test_an_unknown_format_is_refused_with_the_choices(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text("{data: {format: event}, encoders: {text: {source: x}}}")
    with pytest.raises(ConfigError, match=r"'data.format' must be one of mind, .*recbole.*did you mean 'events'"):
        load_settings(path, [])


def test_the_configuration_needs_none_of_the_libraries_that_read() -> None:
    heavy = ["numpy", "pyarrow", "duckdb", "pandas"]
    code = f"import sys, interestrec.config.loading; print([m for m in {heavy} if m in sys.modules])"
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert outcome.stdout.strip() == "[]"
