"""The rules of the house: floors, names, and a command line that starts fast."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "interestrec"

# From the ground up; packages on one floor never import each other.
FLOORS = [
    {"core"},
    {"formats", "corpus", "text"},
    {"metrics"},
    {"model"},
    {"encoding"},
    {"training"},
    {"scoring", "report"},
    {"stages"},
    {"cli", "configure", "look", "operate", "check", "status", "options", "entry", "console", "pipeline", "__main__"},
]
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}
MODULES = sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Dotted names of all our modules that a file imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return {name for name in found if name.startswith("interestrec.")}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_downward_only(path: Path) -> None:
    here = room(path)
    if here == "__init__":
        assert not imports(path)
        return
    assert here in FLOOR, f"{here} has no floor"
    for name in imports(path):
        there = name.split(".")[1]
        if there == "__version__":
            continue
        same_room = there == here and here != "stages"
        entrance = FLOOR[here] == len(FLOORS) - 1 and FLOOR[there] == FLOOR[here]  # cli calls pipeline
        assert FLOOR[there] < FLOOR[here] or same_room or entrance, f"{path} imports {name}, which is not below it"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_module_is_called_by_what_it_is_not(path: Path) -> None:
    assert not {"utils", "util", "helpers", "common", "misc"} & set(path.with_suffix("").parts)


def test_command_line_loads_nothing_heavy() -> None:
    heavy = ["tensorflow", "keras", "transformers", "pandas", "pyarrow", "numpy", "pydantic"]
    code = f"import sys, interestrec.cli; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_only_known_packages_import_tensorflow() -> None:
    allowed = {"model", "encoding", "training", "scoring", "stages"}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(n.split(".")[0] in {"tensorflow", "keras"} for n in names):
                assert room(path) in allowed, path


@pytest.mark.parametrize("name", ["encoding.items", "training.device", "scoring.intensity", "model.bert"])
def test_tensorflow_says_nothing_when_it_starts(name: str) -> None:
    code = f"import interestrec.{name}; import tensorflow as tf; tf.constant(1) + 1"
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert outcome.stderr == ""
