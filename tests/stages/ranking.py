"""A workspace with a corpus, an encoder and a model, and a stand-in for the intensity model."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from interestrec.config.settings import Settings
from interestrec.io import artifact_files, files, schemas
from interestrec.scorers import content, intensity, model_opening, strength
from interestrec.scorers.registry import SCORERS
from interestrec.scorers.requests import Requests
from interestrec.stages.run import RunContext
from interestrec.workspace.artifacts import Recipe, open_artifact, staged_version
from tests.scoring.corpora import Event, Impression, write_corpus, write_event_log

N_USERS, N_ITEMS = 60, 24
SYSTEMS = ["interestrec", "random", "popularity", "trending", "item_knn", "als", "content", "bias"]
COMPONENTS = ["intensity", "item_item", "collaborative", "trending"]
RANK: dict[str, Any] = {
    "systems": SYSTEMS,
    "components": COMPONENTS,
    "als": {"factors": 4, "iterations": 3},
    "trials": 1,
    "top_k": 10,
    "deletion_users": 0,
}


class HalfCosine:
    """Intensity as similarity, moved into [0, 1]."""

    needs_encoder = False

    def __init__(self, of_content: content.Content) -> None:
        self.content = of_content

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        return (1 + self.content.score_catalogue(requests)) / 2

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        return (1 + self.content.score_candidates(requests, offsets, item)) / 2

    def arrays(self) -> dict[str, np.ndarray]:
        return self.content.arrays()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "HalfCosine":
        return cls(content.Content.from_arrays(arrays))


@dataclass(frozen=True)
class TextModel:
    """In place of the two-tower model: the encoder's vectors."""

    vectors: np.ndarray
    calibration: None = None


def stand_in_for_intensity(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put half the cosine in place of the model's order and of its strength."""

    def open_model(path: Path, inputs: object) -> TextModel:
        return TextModel(files.read_safetensors(path / "item_vectors.safetensors")["frozen"])

    monkeypatch.setattr(model_opening, "open_model", open_model)
    monkeypatch.setattr(intensity, "Intensity", lambda models, _: HalfCosine(content.fit(models[0].vectors)))
    monkeypatch.setattr(strength, "Strength", lambda models: HalfCosine(content.fit(models[0].vectors)))
    for name, module in (("intensity", intensity), ("strength", strength)):
        monkeypatch.setitem(SCORERS, name, replace(module.DEFINITION, scorer=HalfCosine))


def log_of_events(seed: int = 0) -> list[Event]:
    """Users of two tastes over thirty days; the last ten are valid and test."""
    rng = np.random.default_rng(seed)
    log = []
    for user in range(N_USERS):
        taste = user % 2 * (N_ITEMS // 2)
        for day in sorted(rng.random(10) * 30):
            split = "train" if day < 20 else "valid" if day < 25 else "test"
            item = int(taste + rng.integers(N_ITEMS // 2)) if rng.random() < 0.9 else int(rng.integers(N_ITEMS))
            log.append(Event(user, item, float(day), split, float(rng.choice([0.25, 0.5, 1.0]))))
    return log


def write_impression_log(path: Path) -> Path:
    """Stated histories and impressions of four candidates, one of them clicked by taste."""
    rng = np.random.default_rng(5)
    log, impressions = [], []
    for user in range(N_USERS):
        split = ("train", "train", "valid", "valid", "test")[user % 5]
        taste = user % 2 * (N_ITEMS // 2)
        history = rng.choice(N_ITEMS // 2, 4, replace=False) + taste
        log += [Event(user, int(item), None, split, event="history") for item in history[: user % 5 + 1]]
        clicked, others = taste + int(rng.integers(N_ITEMS // 2)), rng.choice(N_ITEMS, 3, replace=False)
        log.append(Event(user, clicked, float(user % 5), split, event="click"))
        shown = [(clicked, 1.0), *((int(item), 0.0) for item in others if item != clicked)]
        impressions.append(Impression(user, split, (0, user % 5 + 1), shown, float(user % 5)))
    return write_corpus(path, N_USERS, N_ITEMS, log, impressions)


def write_features(path: Path, n_items: int) -> None:
    """Titles of three tokens, of which two neighbours share two."""
    titles = [[n, n + 1, n + 2] for n in range(n_items)]
    table = pa.table({"item": range(n_items), "title_tokens": titles, "text_tokens": [[]] * n_items})
    (path / artifact_files.FEATURES).mkdir()
    files.write_parquet(path / artifact_files.FEATURES / "text-0.parquet", table, schemas.TEXT_FEATURES)


def workspace(root: Path, log: list[Event] | None = None, n_items: int = N_ITEMS, **rank: Any) -> RunContext:
    """Artifacts of an event log, or of impressions when `log` is None, and the settings to rank them."""
    with staged_version(root, Recipe("corpus", {}, {"log": log}, 1)) as directory:
        if log is None:
            write_impression_log(directory)
        else:
            write_event_log(directory, N_USERS, n_items, log)
        write_features(directory, n_items)
    corpus = open_artifact(root / "corpus", "corpus")
    with staged_version(root, Recipe("encoder", {"corpus": corpus.digest}, {}, 1)) as directory:
        files.write_json(directory / "config.json", {})
    encoder = open_artifact(root / "encoder", "encoder")
    inputs = {"corpus": corpus.digest, "encoder": encoder.digest}
    with staged_version(root, Recipe("model", inputs, {}, 1)) as directory:
        vectors = np.random.default_rng(1).normal(size=(n_items, 8)).astype(np.float32)
        vectors[N_ITEMS // 2 :, 0] += 2
        files.write_safetensors(directory / "item_vectors.safetensors", {"frozen": vectors})
        files.write_json(directory / "config.json", {})  # a model without tasks and with a single modality
    settings = {
        "workspace": str(root),
        "data": {"format": "recbole", "inter": "x", "item": "y", "title": ["t"], "relevant_at": 0.5},
        "encoders": {"text": {"source": "z"}},
        "rank": {**RANK, **rank},
        "evaluate": {"metrics": ["auc", "rr", "ndcg@5", "recall@10", "rmse"], "bootstrap": 50},
    }
    return RunContext(Settings.model_validate(settings))


def without_timing(directory: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(directory.iterdir()) if p.name != "timing.jsonl"}
