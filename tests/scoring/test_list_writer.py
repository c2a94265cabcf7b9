"""From scores to lists and their rows."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from interestrec.scoring.list_writer import ListWriter

from interestrec.core.errors import NumericError
from interestrec.corpus.store import Corpus
from interestrec.metrics.calibration import Isotonic
from interestrec.scorers.item_scores import ItemScores
from interestrec.scoring.ensemble import Ensemble
from interestrec.scoring.ranking_tables import TableLayout
from interestrec.scoring.rules import Rules
from tests.scoring.asking import requests
from tests.scoring.corpora import Event, write_event_log


def lineup(score: list[float]) -> Ensemble:
    scorer = ItemScores(np.array(score, np.float32))
    return Ensemble({"als": scorer}, {"als": "als"}, {"als": Isotonic(np.zeros(1), np.zeros(1))}, {})


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_score_that_is_no_number_stops_the_stage_and_names_the_system(broken: float) -> None:
    with pytest.raises(NumericError, match="'als'"):
        list(lineup([0.0, broken, 1.0]).score_catalogue(requests([0])))


def test_lists_end_where_unseen_items_do_and_cold_ones_are_listed_for_those_who_want_them(tmp_path: Path) -> None:
    corpus = Corpus(write_event_log(tmp_path, 2, 3, [Event(0, 0, 1)]), None)
    layout = TableLayout(corpus, ["als"], [], np.array([2, 1, 0]))
    rules = Rules("out", 1.0, np.ones(3, dtype=bool), None, 0.0, 3)
    lists = ListWriter(
        layout, rules, 3, np.full(3, -1), np.zeros((0, 0)), np.array([False, True, True]), np.array([False, True])
    )
    whole: list[pa.Table] = []
    cold: list[pa.Table] = []
    asked = requests([0, 0], [2])
    lists.write(
        lineup([9.0, 1.0, 1.0]), asked, 0, 2, lambda _, rows: whole.append(rows), lambda _, rows: cold.append(rows)
    )
    assert whole[0]["user_id"].to_pylist() == ["u0", "u0", "u1", "u1"]
    assert whole[0]["item_id"].to_pylist() == ["i2", "i1", "i0", "i1"]  # tied: the lower precedence first
    assert whole[0]["rank"].to_pylist() == [1, 2, 1, 2]
    assert cold[0].select(["user_id", "item_id", "rank"]).to_pylist() == [{"user_id": "u1", "item_id": "i1", "rank": 1}]
