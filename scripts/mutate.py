#!/usr/bin/env python3
"""Mutation score: change one operator, number or condition of a module at a time, and check whether its tests fail.

    scripts/mutate.py [--sample N] [--seed N] [MODULE ...]

prints one JSON line per module: mutants, killed, survived, score, and the survivors as file:line and change. Without
names it tests all modules in TESTS; with --sample only N random mutants of each. Each mutant runs in a process forked
from one that has imported the libraries; the source files do not change.
"""

import argparse
import ast
import copy
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_LIBRARIES = ["numpy", "scipy.stats", "scipy.optimize", "sklearn.metrics", "pyarrow.parquet", "hypothesis", "pytest"]
_LIBRARIES += ["pydantic", "yaml", "transformers", "safetensors.numpy", "pytrec_eval"]
_TIMEOUT_FACTOR = 4.0  # multiple of the time of the tests on the unchanged module
_MIN_TIMEOUT = 20.0  # seconds

_METRIC = ["tests/metrics/test_properties.py", "tests/metrics/test_relations.py"]
# module -> its tests, fast ones first
TESTS = {
    "interestrec/workspace/artifacts.py": ["tests/workspace/test_artifacts.py"],
    "interestrec/workspace/manifest.py": ["tests/workspace/test_manifest.py", "tests/workspace/test_artifacts.py"],
    "interestrec/io/locks.py": ["tests/io/test_locks.py"],
    "interestrec/io/commit.py": ["tests/io/test_commit.py"],
    "interestrec/config/loading.py": ["tests/config/test_loading.py", "tests/config/test_config_typos.py"],
    "interestrec/config/yaml_positions.py": ["tests/config/test_yaml_positions.py", "tests/config/test_loading.py"],
    "interestrec/io/files.py": ["tests/io/test_files.py", "tests/workspace/test_artifacts.py"],
    "interestrec/io/pseudonyms.py": ["tests/io/test_pseudonyms.py"],
    "interestrec/metrics/list_diversity.py": ["tests/metrics/test_list_diversity.py", *_METRIC],
    "interestrec/metrics/bootstrap.py": ["tests/metrics/test_bootstrap.py", *_METRIC],
    "interestrec/metrics/calibration.py": ["tests/metrics/test_calibration.py", *_METRIC],
    "interestrec/metrics/intensity_errors.py": ["tests/metrics/test_intensity_errors.py", *_METRIC],
    "interestrec/metrics/ranked_lists.py": ["tests/metrics/test_ranking.py", *_METRIC, "tests/metrics/test_oracles.py"],
    "interestrec/metrics/ranking.py": ["tests/metrics/test_ranking.py", *_METRIC, "tests/metrics/test_oracles.py"],
    "interestrec/metrics/representation.py": ["tests/metrics/test_representation.py"],
    "interestrec/metrics/topk.py": ["tests/metrics/test_topk.py", *_METRIC],
}

_OTHER: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift,
    ast.RShift: ast.LShift, ast.And: ast.Or, ast.Or: ast.And, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE,
    ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}  # fmt: skip


def variants(node: ast.AST) -> Iterator[tuple[str, Callable[[Any], ast.AST]]]:
    """Yield the possible changes of a node: a description, and a function that changes a copy of the node."""
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign) and type(node.op) in _OTHER:
        other = _OTHER[type(node.op)]
        yield f"{type(node.op).__name__} to {other.__name__}", lambda n: _with(n, op=other())
    elif isinstance(node, ast.Compare):
        for place, op in enumerate(node.ops):
            other = _OTHER[type(op)]
            changed = [other() if n == place else kept for n, kept in enumerate(node.ops)]
            yield f"{type(op).__name__} to {other.__name__}", lambda n, ops=changed: _with(n, ops=ops)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not | ast.Invert):
        yield f"without {type(node.op).__name__}", lambda n: n.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield f"{node.value} to {not node.value}", lambda n: ast.Constant(not n.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield f"{node.value} to {node.value + 1}", lambda n: ast.Constant(n.value + 1)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield f"{node.value!r} to another text", lambda n: ast.Constant(f"{n.value}x")
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        yield "condition negated", lambda n: _with(n, test=ast.UnaryOp(ast.Not(), n.test))
    elif isinstance(node, ast.Return) and node.value is not None:
        yield "None returned", lambda n: _with(n, value=ast.Constant(None))
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield "call removed", lambda n: ast.Pass()
    elif isinstance(node, ast.Raise):
        yield "raise removed", lambda n: ast.Pass()


def _with(node: Any, **changes: Any) -> ast.AST:
    for name, value in changes.items():
        setattr(node, name, value)
    return node


def mutated_nodes(tree: ast.Module) -> list[ast.AST]:
    """Return the nodes of executed code, without docstrings, annotations and the text of messages."""
    nodes: list[ast.AST] = []

    def walk(node: ast.AST, in_message: bool) -> None:
        nodes.append(node)
        for name, value in ast.iter_fields(node):
            for child in value if isinstance(value, list) else [value]:
                docstring = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
                if not isinstance(child, ast.AST) or name in ("annotation", "returns") or docstring:
                    continue
                raised = isinstance(node, ast.Raise) and name == "exc"
                message = in_message or isinstance(child, ast.JoinedStr) or raised
                if not (message and isinstance(child, ast.Constant)) and not _is_type_checking(child):
                    walk(child, message)

    walk(tree, False)
    return nodes


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def mutants(source: str) -> list[tuple[int, str, str]]:
    """Return line, description and changed source of every mutant of a module."""
    tree = ast.parse(source)
    result = []
    for position, node in enumerate(mutated_nodes(tree)):
        for number, (description, _) in enumerate(variants(node)):
            mutant = copy.deepcopy(tree)
            target = mutated_nodes(mutant)[position]
            change = list(variants(target))[number][1]
            # The changed node reuses the children of the node, which the copy keeps.
            _Replace(target, change(copy.copy(target))).visit(mutant)
            result.append((getattr(node, "lineno", 0), description, ast.unparse(ast.fix_missing_locations(mutant))))
    return result


class _Replace(ast.NodeTransformer):
    def __init__(self, target: ast.AST, replacement: ast.AST) -> None:
        self.target, self.replacement = target, replacement

    def visit(self, node: ast.AST) -> Any:
        return self.replacement if node is self.target else self.generic_visit(node)


class _MutantFinder(importlib.abc.MetaPathFinder):
    """Imports one module from changed source."""

    def __init__(self, module: str, path: Path, source: str) -> None:
        self.module, self.path, self.source = module, path, source

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> Any:
        if name != self.module:
            return None
        loader = _Loader(name, str(self.path))
        loader.source = self.source.encode()
        return importlib.util.spec_from_file_location(name, self.path, loader=loader)


class _Loader(importlib.machinery.SourceFileLoader):
    source = b""

    def get_code(self, fullname: str) -> Any:
        return self.source_to_code(self.source, self.path)  # bypasses the bytecode cache of the unchanged module


def passes(path: str, source: str, tests: Sequence[str], seconds: float) -> bool:
    """Return whether the tests pass with `source` in place of the module's source."""
    child = os.fork()
    if child == 0:
        signal.alarm(max(int(seconds), 1))  # the alarm ends the process, which counts as a failure of the tests
        null_device = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null_device, 1)
        os.dup2(null_device, 2)
        import pytest

        sys.meta_path.insert(0, _MutantFinder(path.removesuffix(".py").replace("/", "."), ROOT / path, source))
        status = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests])
        os._exit(min(int(status), 1))
    _, status = os.waitpid(child, 0)
    return status == 0


def measure(path: str, sample: int | None, seed: int) -> dict[str, Any]:
    """Test the mutants of one module."""
    source, tests = (ROOT / path).read_text(), TESTS[path]
    start = time.monotonic()
    if not passes(path, source, tests, 600):
        raise SystemExit(f"{path}: the tests of the unchanged module fail")
    limit = max(_TIMEOUT_FACTOR * (time.monotonic() - start), _MIN_TIMEOUT)
    trials = mutants(source)
    if sample is not None and sample < len(trials):
        trials = sorted(random.Random(seed).sample(trials, sample))
    survivors = [f"{path}:{line} {change}" for line, change, mutant in trials if passes(path, mutant, tests, limit)]
    killed = len(trials) - len(survivors)
    record = {"module": path, "mutants": len(trials), "killed": killed, "survived": len(survivors)}
    return {**record, "score": round(killed / max(len(trials), 1), 3), "survivors": survivors}


def main() -> None:
    """Parse the command line and test the modules."""
    parser = argparse.ArgumentParser(description="Mutation score of modules by their own tests.")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="paths such as interestrec/config/loading.py")
    parser.add_argument("--sample", type=int, help="number of mutants per module [all]")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    os.environ["HYPOTHESIS_PROFILE"] = "mutation"
    for name in _LIBRARIES:
        importlib.import_module(name)
    for path in arguments.modules or [path for path in TESTS if (ROOT / path).exists()]:
        print(json.dumps(measure(path, arguments.sample, arguments.seed)), flush=True)


if __name__ == "__main__":
    main()
