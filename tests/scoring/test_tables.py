"""What must not get into a ranking table."""

from pathlib import Path

import numpy as np
import pytest

from interestrec.core.errors import NumericError
from interestrec.corpus.store import Corpus
from interestrec.scoring import tables
from tests.scoring.asking import requests
from tests.scoring.corpora import Event, write_event_log


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_score_that_is_no_number_stops_the_stage_and_names_the_system(tmp_path: Path, broken: float) -> None:
    corpus = Corpus(write_event_log(tmp_path, 1, 3, [Event(0, 0, 1)]), None)
    layout = tables.Layout(corpus, ["als"], ["intensity"], np.arange(3))
    score = np.array([[0.0, broken, 1.0]])
    with pytest.raises(NumericError, match="'als'"):
        tables.catalogue_block(layout, "als", requests([0]), score, {}, k=2, exclude_seen=True)


def test_lists_end_where_unseen_items_do(tmp_path: Path) -> None:
    corpus = Corpus(write_event_log(tmp_path, 1, 3, [Event(0, 0, 1)]), None)
    layout = tables.Layout(corpus, ["als"], ["intensity"], np.array([2, 1, 0]))
    block = tables.catalogue_block(
        layout, "als", requests([0, 0]), np.array([[9.0, 1.0, 1.0]]), {}, k=3, exclude_seen=True
    )
    assert block["item_id"].to_pylist() == ["i2", "i1"]  # tied: the lower precedence first
    assert block["rank"].to_pylist() == [1, 2]
