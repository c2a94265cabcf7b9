"""Workspaces of generated logs with the tiny encoder, for the stages that learn."""

from pathlib import Path
from typing import Any

from interestrec.config.settings import Settings
from interestrec.stages import preprocess
from interestrec.stages.run import RunContext
from tests import generated

ADAPTATION: dict[str, Any] = {"steps": 3, "batch_size": 8, "held_out": 0.2, "keep": "always"}


def workspace(root: Path, encoder: Path, **settings: Any) -> RunContext:
    """A corpus of generated news in `root/work`, and the settings to learn from it; the encoder stays as it is."""
    generated.write_mind(root / "raw")
    values: dict[str, Any] = {
        "workspace": str(root / "work"),
        "data": {
            "format": "mind",
            "root": str(root / "raw"),
            "news": ["news.tsv"],
            "train": ["train.tsv"],
            "valid": ["valid.tsv"],
            "test": ["test.tsv"],
        },
        "preprocess": {"split": {"method": "given"}},
        "encoders": {"text": {"source": str(encoder)}},
        "pretrain_adapt": {"steps": 0},
        "finetune": {"epochs": 1, "history_epochs": 1, "hidden": [8], "negatives": {"count": 2}},
        **settings,
    }
    context = RunContext(Settings.model_validate(values))
    preprocess.run(context)
    return context


def shop_sections(root: Path) -> dict[str, Any]:
    """The sections that read the log of `generated.write_shop` from `raw` below a directory."""
    return {
        "workspace": str(root / "work"),
        "data": {
            "format": "events",
            "root": str(root / "raw"),
            "relevant_at": 0.5,
            "events": {
                "files": ["events.csv"],
                "columns": {"user": "user", "item": "item", "time": "time", "event": "kind"},
                "event_types": {"view": "view", "purchase": "purchase"},
            },
            "items": {
                "files": ["items.csv"],
                "columns": {"item": "item", "title": ["name"], "text": ["description"], "category": "department"},
            },
        },
        "preprocess": {
            "intensity": {"weights": {"view": 0.2, "purchase": 1.0}},
            "split": {"method": "global_time", "valid": 0.1, "test": 0.2},
        },
    }


def shop(root: Path, encoder: Path, **settings: Any) -> RunContext:
    """An event log, whose users begin with an empty history."""
    generated.write_shop(root / "raw")
    values = {**shop_sections(root), "encoders": {"text": {"source": str(encoder)}}, **settings}
    context = RunContext(Settings.model_validate(values))
    preprocess.run(context)
    return context
