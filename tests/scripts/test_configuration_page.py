"""scripts/configuration_page.py: docs/configuration.md is what the settings say, every key of it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from interestrec.config.loading import settings_schema

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "configuration_page.py"
COMMITTED = ROOT / "docs" / "configuration.md"


@pytest.fixture(scope="module")
def page() -> str:
    return subprocess.run([sys.executable, SCRIPT], capture_output=True, encoding="utf-8", check=True).stdout


def test_the_committed_page_is_the_generated_one(page: str) -> None:
    if COMMITTED.read_text(encoding="utf-8") != page:
        pytest.fail(
            "docs/configuration.md is not what the settings say; run: "
            "python scripts/configuration_page.py --to docs/configuration.md"
        )


def test_the_page_can_be_written_to_a_file(page: str, tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    subprocess.run([sys.executable, SCRIPT, "--to", path], check=True)
    assert path.read_text(encoding="utf-8") == page


def test_the_page_has_every_key_with_its_description(page: str) -> None:
    rows = {(row[0], row[-1]) for row in (line[2:-2].split(" | ") for line in page.splitlines() if line[:3] == "| `")}
    schema = settings_schema()
    for definition in [schema, *schema["$defs"].values()]:
        for key, node in definition["properties"].items():
            assert (f"`{key}`", node["description"]) in rows, f"{definition['title']}.{key}"


def test_no_two_headings_are_equal(page: str) -> None:
    headings = re.findall(r"^#+ .*", page, re.MULTILINE)
    assert len(headings) == len(set(headings))


@pytest.mark.parametrize(
    "row",
    [
        "| `test` | number ≥ 0, < 1 | `0.2` |",
        "| `losses` | section | `{intensity: 1.0, softmax: 1.0}` |",
        "| `events` | section or list of sections |  |",
        "| `targets` | some of `qkv`, `output`, `up`, `down` | `[qkv]` |",
        "| `in` | list of (`true` or `false` or whole number or number or text) or `null` | `null` |",
        "| `refit` | `true` or `false` | `true` |",
        "| `workspace` | path | `workspace` |",
    ],
)
def test_types_ranges_choices_and_defaults(page: str, row: str) -> None:
    assert row in page
