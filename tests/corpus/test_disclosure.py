"""What describe tells of a corpus when small groups are to be withheld."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from interestrec.core.errors import DataError
from interestrec.corpus.disclosure import _attribute, _quantiles, withhold
from interestrec.corpus.figures import bin_of, describe
from interestrec.corpus.store import Corpus
from interestrec.io.schemas import SPLITS
from interestrec.report.describe_page import page
from tests.scoring.corpora import Event, write_event_log


def random_corpus(directory: Path, rng: np.random.Generator) -> Corpus:
    users = int(rng.integers(8, 30))
    log = [
        Event(
            int(rng.integers(users)),
            int(rng.integers(6)),
            float(rng.integers(100)),
            str(rng.choice(SPLITS, p=[0.8, 0.15, 0.05])),
            float(rng.choice([0.1, 0.5, 1.0], p=[0.05, 0.15, 0.8])),
            event=str(rng.choice(["view", "buy", "like"], p=[0.8, 0.15, 0.05])),
        )
        for _ in range(int(rng.integers(20, 120)))
    ]
    return Corpus(write_event_log(directory, users, 6, [*log, Event(0, 0, 0.0)]), relevant_at=0.5)


def users_of(corpus: Corpus, rows: np.ndarray) -> int:
    return len(np.unique(corpus.timelines.user[rows]))


@pytest.mark.parametrize("seed", range(60))
def test_no_figure_is_of_too_few_users_nor_what_the_figures_leave(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    corpus, least = random_corpus(tmp_path, rng), int(rng.integers(2, 8))
    events, everything = corpus.timelines, describe(corpus)
    found = withhold(everything, corpus, least)
    parts = [
        [(found["events"][name], events.split == code) for code, name in enumerate(SPLITS)],
        [(count, bin_of(events.intensity) == n) for n, count in enumerate(found["intensity"]["counts"])],
    ]
    for whole in parts:
        hidden = np.zeros(len(events.user), bool)
        for told, rows in whole:
            assert told is None or told == rows.sum()
            assert told is None or users_of(corpus, rows) == 0 or users_of(corpus, rows) >= least
            hidden |= rows if told is None else False
        small = any(0 < users_of(corpus, rows) < least for _, rows in whole)
        assert not hidden.any() or users_of(corpus, hidden) >= least or all(t in (None, 0) for t, _ in whole)
        assert small or not hidden.any()
    assert {value for span in found["time"].values() for value in span.values()} == {None}
    assert found["drops"] == []
    assert found["value_maps"] is None
    assert f"fewer than {least} users" in page(found)
    assert json.dumps(found)
    assert {row["event"] for row in found["event_types"]} <= {row["event"] for row in everything["event_types"]}
    assert withhold(everything, corpus, 1) is everything


def test_a_corpus_of_too_few_is_not_described(tmp_path: Path) -> None:
    corpus = Corpus(write_event_log(tmp_path, 3, 2, [Event(0, 0, 0.0), Event(1, 1, 0.0, "test")]), None)
    with pytest.raises(DataError, match="fewer users than"):
        withhold(describe(corpus), corpus, 4)


def test_a_quantile_that_few_reach_is_theirs() -> None:
    counts = np.array([1, 1, 1, 2, 9])
    assert _quantiles({"median": 1.0, "p90": 9, "max": 9}, counts, 2) == {"median": 1.0, "p90": None, "max": None}


def test_values_of_users_attributes() -> None:
    column = pa.chunked_array([["a"] * 9 + ["b"] * 6 + ["c"] + [None] * 5])
    found = {
        "missing": 5,
        "distinct": 3,
        "values": [{"value": v, "count": n} for v, n in (("a", 9), ("b", 6), ("c", 1))],
    }
    assert _attribute(found, column, 3) == {
        "missing": None,  # the smallest that is large goes with the one that is small
        "distinct": None,
        "values": [{"value": "a", "count": 9}, {"value": "b", "count": 6}],
    }
    numbers = {"missing": 1, "distinct": 4, "min": 1.0, "median": 2.0, "max": 9.0}
    told = _attribute(numbers, pa.chunked_array([[1.0, 2.0, 2.0, 9.0, None]]), 2)
    assert told == {"missing": None, "distinct": None, "min": None, "median": 2.0, "max": None}
