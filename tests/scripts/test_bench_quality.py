"""scripts/bench_quality.py: choices that leave a set out, and tables of what the artifacts say."""

import importlib
import json
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pytest

from interestrec.config.loading import load_config
from interestrec.io import files, report_schemas

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("bench_quality")


def test_a_default_is_chosen_on_the_other_sets(bench: ModuleType) -> None:
    scores = {"a": {"4": 0.10, "8": 0.20}, "b": {"4": 0.011, "8": 0.010}, "c": {"4": 0.5, "8": 0.5}}
    # Without a: 4 has 1.048 + 1 and 8 has 0.952 + 1. Without b or c, the large gain of a decides.
    assert bench.leave_one_out(scores) == {"a": "4", "b": "8", "c": "8"}
    assert bench.leave_one_out({"a": {"4": 1.0, "8": 1.0}, "b": {"4": 2.0, "8": 2.0}}) == {"a": "4", "b": "4"}


def write_windows(path: Path) -> None:
    """An artifact `windows` of two windows: ours against EASE and against one of its components."""
    key = {"protocol": "catalogue", "slice": "all", "metric": "ndcg@10"}
    metrics = [
        {**key, "system": system, "window": window, "value": value + 0.01 * (window or 0), "window_sd": spread, "n": 50}
        for system, value in (("interestrec", 0.2), ("ease", 0.15), ("only:ease", 0.25))
        for window, spread in ((None, 0.01), (1, None), (2, None))
    ]
    rows = [
        {**key, "system_a": "interestrec", "system_b": other, "window": window, "difference": difference}
        | {"ci_low": difference - 0.01, "ci_high": difference + 0.01, "p": 0.01, "p_holm": 0.02}
        for other, window, difference in (("ease", None, 0.05), ("ease", 2, -0.02), ("only:ease", None, -0.05))
    ]
    files.write_json(path / "metrics.json", metrics)
    table = pa.Table.from_pylist(rows, schema=report_schemas.WINDOW_COMPARISONS)
    files.write_parquet(path / "comparisons.parquet", table, report_schemas.WINDOW_COMPARISONS)


def test_tables_say_what_the_artifact_says(bench: ModuleType, tmp_path: Path) -> None:
    write_windows(tmp_path)
    metric, rows = bench.read_rows(tmp_path)
    assert metric == "ndcg@10"
    result = bench.SetResult("shop", 2, metric, rows, (), 61.0, 1.5)
    assert result.score == 0.2
    assert bench.overview([result])[2] == (
        "| shop | 2 | all | 50 | 0.2000 ± 0.0100 | ease 0.1500 ± 0.0100 | +0.0500 (+0.0400 to +0.0600) | 0.020 | 2 "
        "| 61 | 1.5 |"
    )
    assert bench.details(result)[2:] == [
        "| interestrec | 0.2000 ± 0.0100 |",
        "| ease | 0.1500 ± 0.0100<br>+0.0500 (+0.0400 to +0.0600) |",
        "| only:ease | 0.2500 ± 0.0100<br>-0.0500 (-0.0600 to -0.0400) |",
    ]


def test_the_configurations_of_all_sets_are_valid(bench: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SCRIPTS.parent)
    names = [data_set.name for data_set in bench.SETS]
    assert len(set(names)) == len(names)
    for data_set in bench.SETS:
        assert load_config(data_set.config, list(data_set.overrides), Path("work")).data


def test_a_failed_run_ends_the_benchmark(bench: ModuleType, tmp_path: Path) -> None:
    def measure(command: list[str], **options: object) -> tuple[int, float, float]:
        options["stdout"].write(json.dumps({"error": "no data"}))  # type: ignore[attr-defined]
        assert command[-2:] == ["--windows", "3"]
        return 66, 0.0, 0.0

    with pytest.raises(SystemExit, match="ml_100k ended with exit status 66: no data"):
        bench.run_set(bench.SETS[0], tmp_path, tmp_path, 3, [], measure)
