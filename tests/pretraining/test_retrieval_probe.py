"""The probe of adaptation: ranks by hand, what it reads, and when a gain counts."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from interestrec.corpus.store import Corpus
from interestrec.io.schemas import TEST, VALID
from interestrec.pretraining.adaptation_findings import probe_finding
from interestrec.pretraining.retrieval_probe import (
    ProbeQueries,
    ProbeResult,
    compare,
    probe_queries,
    reciprocal_ranks,
)
from tests.scoring.corpora import Event, Impression, write_corpus


def log(tmp_path: Path) -> Corpus:
    events = [
        Event(0, 0, 1),
        Event(0, 1, 2, intensity=0.1),  # not relevant
        Event(0, 2, 3),
        Event(0, 3, 5, "valid"),  # not of train
        Event(1, 4, 1),  # a single item
        Event(2, 0, 1),
        Event(2, 5, 2),
        Event(2, 0, 3),  # again: its history holds the answer
        Event(3, 1, 1),
        Event(3, 2, 2),
        Event(3, 6, 3),
        Event(3, 7, 9, "test"),
    ]
    return Corpus(
        write_corpus(tmp_path / "corpus", 4, 8, events, [Impression(0, "train", (0, 1), [(1, 1.0)], 2)]),
        relevant_at=0.5,
    )


def test_queries_are_the_last_train_items_and_those_before(tmp_path: Path) -> None:
    found = probe_queries(log(tmp_path), seed=1)
    by_target = {
        target: [item for item in history if item >= 0]
        for target, history in zip(found.target.tolist(), found.history.tolist(), strict=True)
    }
    assert by_target == {2: [0], 6: [1, 2]}
    assert found.items.tolist() == [0, 1, 2, 4, 5, 6]
    again = probe_queries(log(tmp_path), seed=1)
    np.testing.assert_array_equal(found.target, again.target)


def test_only_train_is_read(tmp_path: Path) -> None:
    corpus = log(tmp_path)
    before = probe_queries(corpus, seed=1)
    rows = corpus.timelines
    changed = rows.item.copy()
    changed[(rows.split == VALID) | (rows.split == TEST)] = 0
    corpus.__dict__["timelines"] = SimpleNamespace(**{**vars(rows), "item": changed})
    np.testing.assert_array_equal(probe_queries(corpus, seed=1).target, before.target)
    later = np.full_like(rows.split, VALID)
    corpus.__dict__["timelines"] = SimpleNamespace(**{**vars(rows), "split": later})
    assert not len(probe_queries(corpus, seed=1).target)


def test_ranks_by_hand() -> None:
    vectors = np.array([[1, 0], [0.9, 0.1], [0, 1], [-1, 0], [0, -1], [-0.9, -0.1]], np.float32)  # the mean is 0
    history = np.full((3, 10), -1, np.int32)
    history[0, -1:] = [0]
    history[1, -2:] = [0, 2]
    history[2, -1:] = [3]
    queries = ProbeQueries(history, np.array([1, 1, 2], np.int32), np.arange(6, dtype=np.int32))
    # Items of the history are not ranked. In query 2 item 5 is nearest, then 2 and 4 tie, and the target comes last.
    np.testing.assert_allclose(reciprocal_ranks(vectors, queries), [1.0, 1.0, 1 / 3])


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((30, 4)).astype(np.float32)
    history = rng.integers(0, 15, (20, 10)).astype(np.int32)
    queries = ProbeQueries(history, rng.integers(15, 30, 20).astype(np.int32), np.arange(30, dtype=np.int32))
    whole = reciprocal_ranks(vectors, queries)
    monkeypatch.setattr("interestrec.pretraining.retrieval_probe._CELLS", 90)
    np.testing.assert_array_equal(reciprocal_ranks(vectors, queries), whole)


def test_a_gain_counts_beyond_a_standard_error() -> None:
    rng = np.random.default_rng(1)
    hidden = rng.standard_normal((40, 8)).astype(np.float32)
    history = np.full((300, 10), -1, np.int32)
    history[:, -1] = rng.integers(0, 40, 300)
    cosines = hidden @ hidden.T
    np.fill_diagonal(cosines, -np.inf)
    target = cosines.argmax(axis=1)[history[:, -1]].astype(np.int32)
    queries = ProbeQueries(history, target, np.arange(40, dtype=np.int32))
    noise = rng.standard_normal(hidden.shape).astype(np.float32)
    assert compare(noise, hidden, queries).gains
    assert not compare(hidden, noise, queries).gains
    same = compare(hidden, hidden, queries)
    assert (same.difference, same.gains) == (0.0, False)


def test_findings_say_what_was_done() -> None:
    gain, loss = ProbeResult(0.1, 0.2, 0.01, 50), ProbeResult(0.2, 0.1, 0.01, 50)
    assert probe_finding(gain, True)["sentence"] == (
        "Probe: the vectors find the next item of 50 train users at a mean reciprocal rank of 0.2000, before 0.1000 "
        "(difference +0.1000, standard error 0.0100): the adapted encoder is kept."
    )
    assert probe_finding(loss, False)["sentence"].endswith("standard error, so the encoder stays as it was.")
    assert probe_finding(loss, True)["sentence"].endswith("as pretrain_adapt.keep is always.")
    assert probe_finding(None, True)["better"] is None
