"""What our code must never contain: ways in which a file that is read becomes code that runs."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted([*(ROOT / "interestrec").rglob("*.py"), *(ROOT / "scripts").rglob("*.py")])

MODULES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib", "h5py"}
NAMES = {"eval", "exec", "compile", "__import__"}  # bare or of builtins; `re.compile` is another
ATTRIBUTES = {"load_model", "extractall", "read_pickle", "to_pickle", "unsafe_load", "full_load", "UnsafeLoader"}
DOTTED = {"os.system", "os.popen", "tempfile.mktemp", "torch.load", "numpy.fromfile"}
# The configuration is read by a SafeLoader of our own, node by node; nothing else of PyYAML reads.
OF_YAML = {"SafeLoader", "safe_dump", "Node", "MappingNode", "SequenceNode", "ScalarNode"}
OF_YAML |= {"YAMLError", "MarkedYAMLError", "AliasEvent"}


def names_of(tree: ast.AST) -> dict[str, str]:
    """Dotted name of what each imported name stands for."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(
                {
                    a.asname or a.name.partition(".")[0]: a.name if a.asname else a.name.partition(".")[0]
                    for a in node.names
                }
            )
        elif isinstance(node, ast.ImportFrom):
            found.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    return found


def dotted(node: ast.AST, known: dict[str, str]) -> str:
    """`np.load` as numpy.load; empty where it is no chain of names."""
    if isinstance(node, ast.Name):
        return known.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        before = dotted(node.value, known)
        return f"{before}.{node.attr}" if before else ""
    return ""


def forbidden(source: str) -> Iterator[str]:
    """`line: what` of everything in a file that must not be there."""
    tree = ast.parse(source)
    known = names_of(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            whole = names if isinstance(node, ast.Import) else [f"{node.module}.{a.name}" for a in node.names]
            yield from (f"{node.lineno}: import {name}" for name in names if name.partition(".")[0] in MODULES)
            yield from (f"{node.lineno}: import {name}" for name in whole if name in DOTTED)
            yield from (f"{node.lineno}: import {n}" for n in whole if n.rpartition(".")[2] in ATTRIBUTES)
            yield from (f"{node.lineno}: import {n}" for n in whole if n[:5] == "yaml." and n[5:] not in OF_YAML)
        elif isinstance(node, ast.Name | ast.Attribute):
            name = dotted(node, known)
            if name.removeprefix("builtins.") in NAMES or name in DOTTED:
                yield f"{node.lineno}: {name}"
            elif isinstance(node, ast.Attribute) and node.attr in ATTRIBUTES:
                yield f"{node.lineno}: {node.attr}"
            elif name.startswith("yaml.") and name[5:] not in OF_YAML:
                yield f"{node.lineno}: {name}"
        elif isinstance(node, ast.Call):
            yield from (f"{node.lineno}: {fault}" for fault in faults_of_call(node, known))


def faults_of_call(node: ast.Call, known: dict[str, str]) -> Iterator[str]:
    """Arguments that let a harmless function do harm, or lack what keeps it harmless."""
    given = {word.arg: isinstance(word.value, ast.Constant) and word.value.value is False for word in node.keywords}
    for unsafe in ("shell", "trust_remote_code", "allow_pickle"):
        if not given.get(unsafe, True):
            yield f"{unsafe} is not False"
    called = dotted(node.func, known)
    if called == "numpy.load" and "allow_pickle" not in given:
        yield "numpy.load without allow_pickle=False"
    if called.endswith(".from_pretrained") and "trust_remote_code" not in given:
        yield "from_pretrained without trust_remote_code=False"
    if called == "getattr" and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
        name = node.args[1].value
        if name in NAMES | ATTRIBUTES or f"{dotted(node.args[0], known)}.{name}" in DOTTED:
            yield f"getattr of {name}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_contains_what_is_forbidden(path: Path) -> None:
    assert list(forbidden(path.read_text())) == []


def test_there_are_files_to_look_at() -> None:
    assert {"config.py", "fetch.py", "bench_encode.py"} <= {path.name for path in SOURCES}


@pytest.mark.parametrize(
    "planted",
    [
        "import pickle",
        "import _pickle as p",
        "from cPickle import loads",
        "def f():\n    import dill",
        "from joblib import load",
        "import joblib",
        "import marshal",
        "import shelve",
        "from keras.models import load_model",
        "import keras\nkeras.saving.load_model('x')",
        "import yaml\nyaml.load(text, Loader=yaml.SafeLoader)",
        "import yaml as y\ny.unsafe_load(text)",
        "from yaml import load",
        "import yaml\nclass Mine(yaml.Loader): pass",
        "import zipfile\nzipfile.ZipFile('x').extractall()",
        "eval('1')",
        "import builtins\nbuiltins.exec('1')",
        "from builtins import eval as harmless\nharmless('1')",
        "compile('1', '', 'eval')",
        "g = eval",
        "import numpy as np\nnp.load('x')",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "from numpy import load\nload('x')",
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "import subprocess as s\ns.Popen('ls', shell=flag)",
        "import os\nos.system('ls')",
        "from os import system",
        "import os\ngetattr(os, 'system')('ls')",
        "import tempfile\ntempfile.mktemp()",
        "from tempfile import mktemp",
        "AutoTokenizer.from_pretrained('x')",
        "AutoTokenizer.from_pretrained('x', trust_remote_code=True)",
        "AutoTokenizer.from_pretrained('x', trust_remote_code=chosen)",
        "import pandas as pd\npd.read_pickle('x')",
        "import torch\ntorch.load('x')",
    ],
)
def test_a_planted_one_is_found(planted: str) -> None:
    assert list(forbidden(planted))


@pytest.mark.parametrize(
    "harmless",
    [
        "import re\nre.compile('x')",
        "import numpy as np\nnp.load('x', allow_pickle=False)",
        "import subprocess\nsubprocess.run(['ls'])",
        "import yaml\nclass _Loader(yaml.SafeLoader): pass",
        "model.eval()",
        "AutoTokenizer.from_pretrained('x', trust_remote_code=False)",
        "import tempfile\ntempfile.mkdtemp()",
    ],
)
def test_what_is_harmless_passes(harmless: str) -> None:
    assert list(forbidden(harmless)) == []
