"""From scores to lists and their rows."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from interestrec.core.errors import NumericError
from interestrec.corpus.store import Corpus
from interestrec.io.artifact_files import CATALOGUE, COLD_CATALOGUE
from interestrec.metrics.calibration import Isotonic
from interestrec.scorers.item_scores import ItemScores
from interestrec.scoring.ensemble import Ensemble
from interestrec.scoring.ranking_tables import TableLayout
from interestrec.scoring.rules import Rules
from interestrec.scoring.write_lists import ColdTargets, ListBuilder, write_lists
from tests.scoring.asking import requests
from tests.scoring.corpora import Event, write_event_log


def ensemble(score: list[float]) -> Ensemble:
    scorer = ItemScores(np.array(score, np.float32))
    return Ensemble({"als": scorer}, {"als": "als"}, {"als": Isotonic(np.zeros(1), np.zeros(1))}, {})


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_score_that_is_no_number_stops_the_stage_and_names_the_system(broken: float) -> None:
    with pytest.raises(NumericError, match="'als'"):
        list(ensemble([0.0, broken, 1.0]).score_catalogue(requests([0])))


def test_lists_end_where_unseen_items_do_and_cold_ones_are_listed_for_those_who_want_them(tmp_path: Path) -> None:
    corpus = Corpus(write_event_log(tmp_path, 2, 3, [Event(0, 0, 1)]), None)
    layout = TableLayout(corpus, ["als"], [], np.array([2, 1, 0]))
    rules = Rules("out", 1.0, np.ones(3, dtype=bool), None, 0.0, 3)
    builder = ListBuilder(layout, rules, 3, np.full(3, -1), np.zeros((0, 0)))
    cold = ColdTargets(np.array([False, True, True]), np.array([False, True]))
    write_lists(tmp_path, ensemble([9.0, 1.0, 1.0]), requests([0, 0], [2]), builder, cold)
    whole = pq.read_table(tmp_path / CATALOGUE)
    assert whole["user_id"].to_pylist() == ["u0", "u0", "u1", "u1"]
    assert whole["item_id"].to_pylist() == ["i2", "i1", "i0", "i1"]  # tied: the lower in the tie-break order first
    assert whole["rank"].to_pylist() == [1, 2, 1, 2]
    cold_lists = pq.read_table(tmp_path / COLD_CATALOGUE).select(["user_id", "item_id", "rank"])
    assert cold_lists.to_pylist() == [{"user_id": "u1", "item_id": "i1", "rank": 1}]
