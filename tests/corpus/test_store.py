"""The arrays of a corpus, whose columns come in row groups and may be in files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interestrec.corpus.store import NO_TIME, Corpus
from interestrec.io import files, schemas, spilled_arrays
from tests.scoring.corpora import DAY, Event, Impression, write_corpus


def arrays(corpus: Corpus) -> dict[str, Any]:
    parts = ("timelines", "impressions", "counters", "counts_at_times", "user_counters")
    named = {f"{part}.{name}": array for part in parts for name, array in vars(getattr(corpus, part)).items()}
    return {**named, "is_logged_history": corpus.is_logged_history, "cold": corpus.cold_items(1)}


def test_row_groups_and_files_change_no_array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    users = np.sort(rng.integers(0, 20, 300))
    events = [
        Event(int(user), int(rng.integers(0, 9)), float(day) if day > 2 else None, str(split))
        for user, day, split in zip(users, np.arange(300) % 30, rng.choice(["train", "valid"], 300), strict=True)
    ]
    shown = [
        Impression(n % 20, "train", (0, n % 3), [(int(i), None if i == 3 else 1.0) for i in rng.integers(0, 9, n % 4)])
        for n in range(60)
    ]
    path = write_corpus(tmp_path / "whole", 25, 9, events, shown)
    whole = arrays(Corpus(path, None))
    monkeypatch.setattr(files, "ROW_GROUP", 7)
    monkeypatch.setattr(spilled_arrays, "_LEAST", 50)
    found = arrays(Corpus(write_corpus(tmp_path / "parts", 25, 9, events, shown), None))
    assert found.keys() == whole.keys()
    for name, array in whole.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def test_candidates_and_unknown_values_by_hand(tmp_path: Path) -> None:
    events = [Event(0, 2, 1), Event(0, 3, None, "test"), Event(2, 1, 2)]
    shown = [Impression(2, "train", (0, 1), [(4, 0.5), (1, None)], 3), Impression(0, "test", (1, 2), [(0, 1.0)])]
    corpus = Corpus(write_corpus(tmp_path / "corpus", 3, 5, events, shown), None)
    lines, requests = corpus.timelines, corpus.impressions
    assert lines.offsets.tolist() == [0, 2, 2, 3]
    assert lines.time.tolist() == [DAY, NO_TIME, 2 * DAY]
    assert lines.split.tolist() == [0, 2, 0]
    assert requests.history_start.tolist() == [2, 1]
    assert requests.history_end.tolist() == [3, 2]
    assert requests.offsets.tolist() == [0, 2, 3]
    assert requests.item.tolist() == [4, 1, 0]
    np.testing.assert_array_equal(requests.label, np.array([0.5, np.nan, 1.0], np.float32))
    assert corpus.impression_ids.to_pylist() == ["m0", "m1"]


def test_a_corpus_without_impressions(tmp_path: Path) -> None:
    path = write_corpus(tmp_path / "corpus", 2, 2, [Event(1, 0, 1)], [Impression(1, "train", (0, 1), [(1, 1.0)])])
    for name, schema in (("impressions", schemas.IMPRESSIONS), ("candidates", schemas.CANDIDATES)):
        files.write_parquet(path / f"{name}.parquet", schema.empty_table(), schema)
    corpus = Corpus(path, None)
    assert corpus.impressions.offsets.tolist() == [0]
    assert len(corpus.impressions.item) == 0
    assert corpus.impressions.time.dtype == np.int64
