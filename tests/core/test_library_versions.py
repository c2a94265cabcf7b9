"""Floors under the libraries that read files for us."""

import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from interestrec.core import library_versions
from interestrec.core.errors import ConfigError
from interestrec.text.tokenizer import load_tokenizer

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.mark.parametrize(
    ("library", "version", "safe"),
    [
        ("keras", "3.15.1", True),
        ("keras", "3.15.0", False),
        ("keras", "3.15", False),
        ("keras", "3.9.2", False),  # as numbers, not as texts
        ("keras", "4", True),
        ("keras", "3.15.1.post2", True),
        ("pyarrow", "24.0.0", True),
        ("pyarrow", "23.0.1", False),
        ("transformers", "5.3.0", True),
        ("transformers", "5.3.0.dev0", True),
        ("transformers", "5.2.1", False),
        ("transformers", "5rc1.3", False),
    ],
)
def test_older_ones_are_refused(library: str, version: str, safe: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: version)
    if safe:
        library_versions.require_safe(library)
        return
    with pytest.raises(ConfigError, match=rf"{library} {version} has known .*pip install -U '{library}>=\d"):
        library_versions.require_safe(library)


def test_one_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(library_versions.SAFE, "no-such-library", (1,))
    with pytest.raises(ConfigError, match="no-such-library is not installed"):
        library_versions.require_safe("no-such-library")


@pytest.mark.parametrize(
    ("module", "library"),
    [("interestrec.workspace.artifacts", "pyarrow"), ("interestrec.model", "keras"), ("interestrec.encoding", "keras")],
)
def test_it_is_looked_at_before_the_first_import(module: str, library: str) -> None:
    code = (
        "import sys; from interestrec.core import library_versions, errors\n"
        f"library_versions.SAFE[{library!r}] = (999,)\n"
        f"try: import {module}\n"
        "except errors.ConfigError as error: print(error)\n"
        f"assert {library!r} not in sys.modules and 'tensorflow' not in sys.modules"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.stderr == ""
    assert found.stdout.startswith(f"{library} ")


def test_what_is_installed_with_us_is_safe() -> None:
    wanted = tomllib.loads(PYPROJECT.read_text())["project"]["dependencies"]
    for library, least in library_versions.SAFE.items():
        line = next(line for line in wanted if line.startswith(f"{library}>="))
        floor = tuple(map(int, line.removeprefix(f"{library}>=").partition(",")[0].split(".")))
        assert floor >= least


def test_a_tokenizer_that_transformers_would_read(
    tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(tiny_encoder / "tokenizer_config.json", tmp_path)
    monkeypatch.setitem(library_versions.SAFE, "transformers", (999,))
    with pytest.raises(ConfigError, match=r"transformers .* has known security faults"):
        load_tokenizer(tmp_path)
