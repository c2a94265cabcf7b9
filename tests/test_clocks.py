"""No test reads a clock, as it would fail on a busy machine: scripts/bench.py measures how long things take."""

import ast
from pathlib import Path

TESTS = Path(__file__).parent
READINGS = {"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "time_ns", "default_timer"}


def reads_clock(node: ast.AST) -> bool:
    """Whether a piece of code calls a clock, as `time.monotonic()`, `monotonic()` or `time.time()` do."""
    if not isinstance(node, ast.Call):
        return False
    called = ast.unparse(node.func)
    return called == "time.time" or called.rpartition(".")[2] in READINGS


def test_a_reading_is_recognised() -> None:
    for code in ("time.monotonic()", "perf_counter()", "x = time.time() - began", "timeit.default_timer()"):
        assert any(map(reads_clock, ast.walk(ast.parse(code)))), code
    for code in ("clock.sleep(3)", "time.sleep(0.1)", "datetime.now(UTC)", "row.time()"):
        assert not any(map(reads_clock, ast.walk(ast.parse(code)))), code


def test_no_test_reads_a_clock() -> None:
    found = [
        f"{path.relative_to(TESTS)}:{node.lineno}"
        for path in sorted(TESTS.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if reads_clock(node)
    ]
    assert found == []
