"""A replay of a stream that changes at once: refits recover and a frozen decision does not; else neither differs."""

import importlib
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from interestrec.config.settings import Settings
from interestrec.stages import preprocess, replay
from interestrec.stages.run import RunContext
from tests.stages.replay_steps import StepsHere

pytestmark = pytest.mark.slow

SCRIPTS = Path(__file__).parents[2] / "scripts"


def headline(
    root: Path, encoder: Path, shuffle: int, monkeypatch: pytest.MonkeyPatch
) -> dict[int | None, dict[str, Any]]:
    """The comparison of refit with frozen by window, in a stream that changes when the first window begins."""
    monkeypatch.syspath_prepend(SCRIPTS)
    monkeypatch.setattr(replay, "StepProcesses", StepsHere)
    StepsHere.reset()
    raw, sizes = root / "raw", ["--events", "8000", "--users", "250", "--items", "144", "--days", "40"]
    importlib.import_module("generate").main(
        ["stream", "--to", str(raw), *sizes, "--drift", "0", "--change", "60", "--shuffle", str(shuffle)]
    )
    values = {
        "workspace": str(root / "work"),
        "data": {
            "format": "events",
            "root": str(raw),
            "events": {
                "files": ["events.parquet"],
                "columns": {"user": "user", "item": "item", "time": "time"},
                "event": "purchase",
            },
            "items": {"files": ["items.parquet"], "columns": {"item": "item", "title": ["title"]}},
        },
        "encoders": {"text": {"source": str(encoder)}},
        "pretrain_adapt": {"steps": 0},
        "finetune": {"epochs": 0, "hidden": [8], "width": 8},
        "rank": {"trials": 1, "systems": ["interestrec"], "components": ["item_item", "popularity"]},
        "evaluate": {"bootstrap": 500},
        "replay": {"window": "6d", "windows": 2, "start": 0.6, "policies": ["refit", "frozen"]},
    }
    context = RunContext(Settings.model_validate(values))
    preprocess.run(context)
    path = replay.run(context).artifact.path
    rows = pq.read_table(path / "comparisons.parquet").to_pylist()
    return {row["window"]: row for row in rows if row["metric"] == "ndcg@10"}


def test_refit_recovers_from_a_sudden_change_and_frozen_does_not(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = headline(tmp_path, tiny_encoder, 0, monkeypatch)
    assert found[1]["difference"] == 0
    assert found[2]["ci_low"] > 0.02
    assert found[None]["p_holm"] < 0.01


def test_without_change_over_time_no_policy_differs(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = headline(tmp_path, tiny_encoder, 1, monkeypatch)
    assert abs(found[None]["difference"]) < 0.01
    assert found[None]["p_holm"] > 0.01
