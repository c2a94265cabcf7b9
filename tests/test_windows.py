"""Runs over several test windows on generated logs: complete, repeatable, blind to what comes later."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from interestrec.cli.options import require_windows_alone
from interestrec.config.loading import load_settings
from interestrec.core.errors import ConfigError, InputMissingError, UsageError
from interestrec.io import files
from interestrec.pipeline import STAGES, run_all, run_windows
from interestrec.stages.run import GateRequest, RunContext
from interestrec.workspace.artifacts import Artifact
from interestrec.workspace.prune import prune
from tests.generated import write_shop

N_WINDOWS = 2
CONFIG = """
version: 1
seed: 5
data:
  format: events
  root: {root}
  relevant_at: 0.5
  events:
    files: [events.csv]
    columns: {{user: user, item: item, time: time, event: kind}}
    event_types: {{view: view, purchase: purchase}}
  items:
    files: [items.csv]
    columns: {{item: item, title: [name], text: [description], category: department}}
preprocess:
  intensity: {{weights: {{view: 0.2, purchase: 1.0}}}}
  split: {{method: global_time, valid: 0.2, test: 0.2}}
encoders: {{text: {{source: {encoder}}}}}
pretrain_adapt: {{steps: 0}}
finetune: {{epochs: 1, batch_size: 64}}
rank: {{top_k: 20, trials: 1, systems: [interestrec, popularity, item_knn], components: [intensity, item_item]}}
evaluate: {{bootstrap: 50}}
"""


def context(directory: Path, workspace: str, *overrides: str, **options: object) -> RunContext:
    return RunContext(load_settings(directory / "shop.yaml", overrides, directory / workspace), **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Path:
    """A directory with a generated log, its configuration `shop.yaml` and a run over two windows in `windows`."""
    directory = tmp_path_factory.mktemp("shop")
    write_shop(directory / "raw")
    (directory / "shop.yaml").write_text(CONFIG.format(root=directory / "raw", encoder=tiny_encoder))
    gate = GateRequest(require=())
    results = list(run_windows(context(directory, "windows", "evaluate.require=[ndcg@10>=0.99]", gate=gate), N_WINDOWS))
    kinds = [result.artifact.kind for result in results]
    assert kinds == [*["corpus", "encoder", "model", "rankings", "report"] * N_WINDOWS, "windows"]
    assert all(result.built for result in results)
    # The gate is that of the last window, and is reported once.
    assert [len(result.failures) for result in results] == [0] * (len(results) - 1) + [1]
    return directory


def outputs(artifact: Artifact) -> dict[str, str]:
    """Digests of the files that hold results; quality.json counts the rows that were read, also later ones."""
    left_out = {"manifest.json", "timing.jsonl", "quality.json", "report.html"}
    return {
        str(path.relative_to(artifact.path)): files.sha256_of(path)
        for path in sorted(artifact.path.rglob("*"))
        if path.is_file() and path.name not in left_out
    }


@pytest.mark.slow
def test_the_artifact_has_every_window_and_the_mean(shop: Path) -> None:
    together = shop / "windows" / "windows"
    rows = json.loads((together / "metrics.json").read_text())
    picked = [row for row in rows if (row["protocol"], row["slice"], row["metric"]) == ("catalogue", "all", "ndcg@10")]
    value = {(row["window"], row["system"]): row["value"] for row in picked}
    assert {number for number, _ in value} == {None, 1, 2}
    for system in ("interestrec", "popularity", "item_knn"):
        assert value[None, system] == pytest.approx((value[1, system] + value[2, system]) / 2)
    document = json.loads((together / "windows.json").read_text())
    spans = {window["window"]: window for window in document["windows"]}
    assert spans[2]["test_to"] < spans[1]["test_from"]
    assert sum(spans[2]["events"].values()) == spans[1]["events"]["train"] + spans[1]["events"]["valid"]
    assert pq.read_table(together / "comparisons.parquet").num_rows
    page = (together / "report.html").read_text()
    assert "over 2 test windows" in page
    assert document["verdicts"]["catalogue"]["rival"].split(":")[0] in page
    # The links of the workspace lead to the last window, which is the split without windows.
    assert [result.built for result in run_all(context(shop, "windows"))] == [False] * len(STAGES)


@pytest.mark.slow
def test_running_again_builds_nothing_and_evaluating_builds_only_reports(shop: Path) -> None:
    assert not any(result.built for result in run_windows(context(shop, "windows"), N_WINDOWS))
    assert not prune(shop / "windows", dry_run=True)  # the artifact `windows` refers to all of them
    again = list(run_windows(context(shop, "windows", "evaluate.bootstrap=51"), N_WINDOWS, ["evaluate"]))
    assert {result.artifact.kind for result in again if result.built} == {"report", "windows"}
    with pytest.raises(InputMissingError, match=r"no model of window 2 with these settings; use `interestrec run"):
        list(run_windows(context(shop, "windows", "finetune.dropout=0.3"), N_WINDOWS, ["evaluate"]))


@pytest.mark.slow
def test_nothing_after_the_end_of_a_window_reaches_it(shop: Path, tmp_path: Path) -> None:
    """A run on a log that ends where window 2 ends has the same files as window 2."""
    in_window = {
        result.artifact.kind: outputs(result.artifact)
        for result in list(run_windows(context(shop, "windows"), N_WINDOWS))[: len(STAGES)]
    }
    end = json.loads((shop / "windows" / "windows" / "windows.json").read_text())["windows"][0]["test_from"]
    header, *lines = (shop / "raw" / "events.csv").read_text().splitlines()
    kept = [line for line in lines if line.split(",")[2].rstrip("Z") < end[:19]]
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "items.csv").write_text((shop / "raw" / "items.csv").read_text())
    (tmp_path / "raw" / "events.csv").write_text("\n".join([header, *kept]) + "\n")
    (tmp_path / "shop.yaml").write_text((shop / "shop.yaml").read_text().replace(str(shop), str(tmp_path)))
    alone = {result.artifact.kind: outputs(result.artifact) for result in run_all(context(tmp_path, "alone"))}
    assert alone == in_window


def test_options_of_a_single_window_are_refused() -> None:
    require_windows_alone(None, corpus=Path("x"))
    require_windows_alone(3, corpus=None, dry_run=False)
    with pytest.raises(UsageError, match="--windows and --dry-run exclude each other; for a single window, use --set"):
        require_windows_alone(3, dry_run=True)


def test_a_split_without_windows_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(CONFIG.format(root=tmp_path, encoder=tmp_path))
    chosen = context(tmp_path, "work", "preprocess.split.method=user_random")
    with pytest.raises(
        ConfigError, match=r"preprocess.split.method: a split by method: user_random has no earlier win"
    ):
        list(run_windows(chosen, 2))
