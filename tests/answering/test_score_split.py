"""Terms of scores: they sum to the score, whatever the decision."""

from pathlib import Path

import numpy as np
import pytest

from interestrec.answering import score_split
from interestrec.answering.removals import RemovalSets, measure
from interestrec.answering.score_split import COLD_ITEM, SEEN, split_scores
from interestrec.core.errors import NumericError
from tests.answering.toys import linear, random_blend, recommender
from tests.scoring.corpora import Event

USERS, ITEMS = 5, 16


@pytest.mark.parametrize("seen", ["out", "in", "down"])
@pytest.mark.parametrize("seed", range(6))
def test_the_terms_sum_to_the_score(tmp_path: Path, seed: int, seen: str) -> None:
    rng = np.random.default_rng(seed)
    log = [Event(user, int(item), float(day)) for user in range(4) for day, item in enumerate(rng.integers(0, 9, 3))]
    scorers = {name: linear(rng, ITEMS) for name in ("popularity", "ease", "content")}
    cold = rng.random(ITEMS) < 0.3
    toy = recommender(tmp_path, log, USERS, scorers, random_blend(rng, 3), cold, seen=seen, seen_penalty=0.7)
    asked = toy.ask_users(np.arange(USERS), toy.moment, 3)  # the last has no history
    items = np.tile(np.arange(ITEMS), (USERS, 1))
    terms = split_scores(toy, asked, items)
    empty = RemovalSets.of(np.arange(USERS), [np.zeros(0, np.int64)] * USERS)
    np.testing.assert_allclose(sum(terms.values()), measure(toy, asked, empty, items).score, atol=1e-9)
    assert (SEEN in terms) == (seen == "down")
    assert not terms[COLD_ITEM][:, ~cold].any()
    assert (terms[COLD_ITEM][:4, cold] == toy.ensemble.systems["interestrec"].catalogue_blend.known.offset).all()
    assert not terms[COLD_ITEM][4].any()  # for new users, cold items are weighed like warm ones


def test_terms_by_hand(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    scorers = {"popularity": linear(rng, ITEMS), "ease": linear(rng, ITEMS)}
    toy = recommender(tmp_path, [Event(0, 3, 1.0)], 1, scorers)  # the first has the weight 1, the second 0
    raw = scorers["popularity"].row[3] + scorers["popularity"].own
    terms = split_scores(toy, toy.ask_users(np.array([0]), toy.moment, 3), np.array([[7]]))
    assert terms["popularity"][0, 0] == pytest.approx((raw[7] - raw.mean()) / raw.std(), abs=1e-6)
    assert terms["ease"][0, 0] == 0
    assert list(terms) == ["popularity", "ease"]


def test_terms_that_do_not_sum_to_the_score_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy = recommender(tmp_path, [Event(0, 3, 1.0)], 1, {"popularity": linear(np.random.default_rng(1), ITEMS)})
    monkeypatch.setattr(score_split, "_weighted", lambda weights, voter, z: 1.001 * z)
    with pytest.raises(NumericError, match="do not sum"):
        split_scores(toy, toy.ask_users(np.array([0]), toy.moment, 3), np.array([[7]]))
