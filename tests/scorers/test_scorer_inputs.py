"""Values of a corpus that scorers need."""

from pathlib import Path

import pyarrow as pa
import pytest

from interestrec.corpus.store import Corpus
from interestrec.scorers.scorer_inputs import ScorerInputs
from tests.scoring.corpora import Event, Impression, write_corpus

EVENTS = [Event(0, 0, 1.0), Event(0, 1, 2.0), Event(1, 1, 1.0)]


@pytest.mark.parametrize(("shown", "expected"), [([(1, 1.0)], True), ([(1, 1.0), (0, 0.0)], False), ([], False)])
def test_histories_are_labels_where_every_impression_is_one_event(
    tmp_path: Path, shown: list[tuple[int, float | None]], expected: bool
) -> None:
    impressions = [Impression(0, "train", (0, 1), [(1, 1.0)]), Impression(1, "test", (0, 1), shown)]
    corpus = Corpus(write_corpus(tmp_path, 2, 2, EVENTS, impressions), None)
    assert ScorerInputs(tmp_path, tmp_path, corpus, tmp_path, (), seed=1).histories_are_labels is expected


def test_attributes_are_the_columns_after_those_of_every_corpus(tmp_path: Path) -> None:
    corpus = Corpus(write_corpus(tmp_path, 2, 2, EVENTS, [Impression(0, "train", (0, 1), [(1, 1.0)])]), None)
    inputs = ScorerInputs(tmp_path, tmp_path, corpus, tmp_path, (), seed=1)
    assert inputs.user_attributes == []
    ages = pa.chunked_array([[30.0, None]])
    corpus.__dict__["users"] = corpus.users.append_column("age", ages)
    assert inputs.user_attributes == [ages]
