"""What a task must find in a log, and must not find if its labels are permuted."""

from pathlib import Path

import numpy as np
import pytest

from interestrec.config.settings import Settings
from interestrec.io import files
from interestrec.stages import finetune, preprocess, pretrain_adapt
from interestrec.stages.run import RunContext

pytestmark = pytest.mark.slow

_USERS, _ITEMS, _EVENTS = 60, 40, 30


def outcome(root: Path, encoder: Path, permuted: bool) -> dict[str, float]:
    """Train on users who buy what is even, or odd, and only look at the rest; texts say nothing.

    Permuted, the kinds of all events are exchanged at random, so that nothing tells what is bought.
    """
    rng = np.random.default_rng(7)
    user, item = np.repeat(np.arange(_USERS), _EVENTS), rng.integers(0, _ITEMS, _USERS * _EVENTS)
    bought = (item + user) % 2 == 0
    bought = rng.permutation(bought) if permuted else bought
    day = rng.uniform(0, 100, len(user))
    kinds = np.where(bought, "purchase", "view")
    rows = [f"u{u},i{i},{86_400 * d:.0f},{k}" for u, i, d, k in zip(user, item, day, kinds, strict=True)]
    (root / "raw").mkdir(parents=True)
    (root / "raw" / "events.csv").write_text("\n".join(["user,item,time,kind", *rows]) + "\n")
    items = ["item,name", *(f"i{i},thing" for i in range(_ITEMS))]
    (root / "raw" / "items.csv").write_text("\n".join(items) + "\n")
    settings = {
        "workspace": str(root / "work"),
        "data": {
            "format": "events",
            "root": str(root / "raw"),
            "relevant_at": 0.75,
            "events": {
                "files": ["events.csv"],
                "columns": {"user": "user", "item": "item", "time": "time", "event": "kind"},
                "event_types": {"view": "view", "purchase": "purchase"},
            },
            "items": {"files": ["items.csv"], "columns": {"item": "item", "title": ["name"]}},
        },
        "preprocess": {
            "intensity": {"weights": {"view": 0.5, "purchase": 1.0}},
            "split": {"method": "global_time", "valid": 0.2, "test": 0.2},
            "duplicates": "keep",
        },
        "encoders": {"text": {"source": str(encoder)}},
        "pretrain_adapt": {"steps": 0},
        "finetune": {
            "epochs": 12,
            "patience": 12,
            "width": 16,
            "hidden": [8],
            "learning_rate": 1e-2,
            "tasks": {"bought": {"kind": "binary", "label": "event == purchase", "weight": 4.0}},
            "rank_by": "bought",
        },
    }
    context = RunContext(Settings.model_validate(settings))
    for stage in (preprocess, pretrain_adapt):
        stage.run(context)
    return files.read_json(finetune.run(context).artifact.path / "outcome.json")


def test_what_users_buy_is_learned_and_permuted_kinds_are_not(tmp_path: Path, tiny_encoder: Path) -> None:
    found = outcome(tmp_path / "real", tiny_encoder, permuted=False)
    control = outcome(tmp_path / "control", tiny_encoder, permuted=True)
    assert found["bought_auc"] > 0.8
    assert abs(control["bought_auc"] - 0.5) < 0.1
    assert control["bought_logloss"] > 0.66  # close to log 2, that of no knowledge
