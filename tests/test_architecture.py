"""The rules of the house: floors, names, and a command line that starts fast."""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "interestrec"

# From the ground up; packages on one floor never import each other.
FLOORS = [
    {"core"},
    {"io"},
    {"workspace"},
    {"tracking"},
    {"rawfiles"},
    {"columns"},
    {"formats", "text"},
    {"corpus"},
    {"conversion", "inspection", "metrics"},
    {"model"},
    {"encoding"},
    {"training"},
    {"pretraining"},
    {"scorers"},
    {"scoring", "evaluation"},
    {"learning"},
    {"answering"},
    {"exporting", "serving"},
    {"report"},
    {"config"},
    {"stages"},
    {"cluster"},
    {"pipeline"},
    {"cli"},
    {"__main__"},
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
    if here == "__init__":  # offers functions of all floors, and imports none: see below
        return
    assert here in FLOOR, f"{here} has no floor"
    for name in imports(path):
        there = name.split(".")[1]
        if there == "__version__":
            continue
        # What all stages are run by, here or on workers.
        frame = name.startswith(("interestrec.stages.run.", "interestrec.stages.placed_work."))
        rehearsal = name.startswith("interestrec.stages.preprocess.") and path.stem in {"check", "convert", "update"}
        first_step = name.startswith("interestrec.stages.fit_decision.") and path.stem == "rank"
        same_room = there == here and (here != "stages" or frame or rehearsal or first_step)
        assert FLOOR[there] < FLOOR[here] or same_room, f"{path} imports {name}, which is not below it"


def test_names_of_modules_and_classes_are_unique() -> None:
    """A name that stands twice has to be renamed where it is used: `import fit as fit_ensemble`."""
    modules = Counter(path.stem for path in MODULES if path.stem not in {"__init__", "__main__"})
    classes = Counter(
        node.name
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    )
    assert not [name for counts in (modules, classes) for name, count in counts.items() if count > 1]


def test_no_room_is_larger_than_an_eighth_of_the_package() -> None:
    lines: Counter[str] = Counter()
    for path in MODULES:
        lines[room(path)] += len(path.read_text().splitlines())
    name, largest = lines.most_common(1)[0]
    assert largest <= sum(lines.values()) / 8, f"{name} holds {largest} of {sum(lines.values())} lines"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_module_is_called_by_what_it_is_not(path: Path) -> None:
    assert not {"utils", "util", "helpers", "common", "misc"} & set(path.with_suffix("").parts)


@pytest.mark.parametrize(
    "path", [path for path in MODULES if room(path) != "model"], ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_only_the_model_room_names_bert(path: Path) -> None:
    """All others take an Encoder, so that another kind of encoder is one file and one entry."""
    names = set(imports(path))
    for node in ast.walk(ast.parse(path.read_text())):
        names |= {getattr(node, key) for key in ("id", "attr", "arg", "name") if isinstance(getattr(node, key, 0), str)}
    assert not [name for name in names if "bert" in name.lower()]


def test_command_line_loads_nothing_heavy() -> None:
    heavy = ["tensorflow", "keras", "transformers", "pandas", "pyarrow", "numpy", "pydantic"]
    code = f"import sys, interestrec.cli.app; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_the_package_loads_nothing_until_something_is_used() -> None:
    code = (
        "import sys; before = set(sys.modules); import interestrec; new = set(sys.modules) - before; "
        "print(sorted(name for name in new if name.partition('.')[0] not in sys.stdlib_module_names))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "['interestrec']"


def test_only_known_packages_import_tensorflow() -> None:
    allowed = {"model", "encoding", "training", "pretraining", "scorers", "exporting", "stages"}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(n.split(".")[0] in {"tensorflow", "keras"} for n in names):
                assert room(path) in allowed, path


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["encoding.encoder_caches", "training.device", "scorers.text_user_inputs", "model.bert"]
)
def test_tensorflow_says_nothing_when_it_starts(name: str) -> None:
    code = f"import interestrec.{name}; import tensorflow as tf; tf.constant(1) + 1"
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert outcome.stderr == ""
