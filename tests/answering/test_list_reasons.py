"""Reasons of rows: the event that counts most, and what is told without one."""

from pathlib import Path

import numpy as np

from interestrec.answering.list_reasons import list_reasons
from interestrec.answering.removals import leave_one_out, measure
from tests.answering.test_removals import LOG, ROW
from tests.answering.toys import Linear, linear, recommender
from tests.scoring.corpora import Event


def test_the_event_without_which_the_score_falls_most_is_the_reason(tmp_path: Path) -> None:
    toy = recommender(tmp_path, LOG, 3, {"popularity": Linear(ROW, np.array([0, 0, 0, 0, 0.1]))})
    asked = toy.ask_users(np.array([0, 2]), toy.moment, 2)
    listed = toy.recommend(asked)
    assert listed.item[:2].tolist() == [3, 2]
    reasons = list_reasons(toy, asked, listed)
    assert reasons[0] == 'because of "i1" (event, 24 hours before): without it, rank 1 -> 2'
    assert reasons[1] == 'because of "i0" (event, 2 days before): without it, rank 2 -> 3'
    assert set(reasons[2:]) == {"popular with all users"}  # user 2 has no history


def test_they_are_those_of_leaving_each_event_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    log = [Event(user, int(item), float(day)) for user in range(8) for day, item in enumerate(rng.integers(0, 30, 6))]
    toy = recommender(tmp_path, log, 8, {"popularity": linear(rng, 30)})
    asked = toy.ask_users(np.arange(8), toy.moment, 4)
    listed = toy.recommend(asked)
    reasons = list_reasons(toy, asked, listed)
    exact = measure(toy, asked, leave_one_out(asked.requests), listed.item.reshape(8, 4))
    agree = 0
    for row, reason in enumerate(reasons):
        request, column = divmod(row, 4)
        own = exact.score[7 * request : 7 * (request + 1), column]
        best = int((own[0] - own[1:]).argmax())
        if own[best + 1] < own[0]:
            title = f"i{asked.requests.item[6 * request + best]}"
            agree += f'because of "{title}"' in reason
    assert agree >= 28  # of 32: the scale of the complete request chooses, see list_reasons


def test_order_and_length_of_lists_do_not_matter(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    log = [Event(user, int(item), float(day)) for user in range(3) for day, item in enumerate(rng.integers(0, 9, 4))]
    toy = recommender(tmp_path, log, 3, {"popularity": linear(rng, 9)})
    asked = toy.ask_users(np.arange(3), toy.moment, 3)
    listed = toy.recommend(asked)
    reasons = np.array(list_reasons(toy, asked, listed))
    chosen = np.array([7, 0, 4, 8])
    assert list_reasons(toy, asked, listed.rows(chosen)) == reasons[chosen].tolist()
    assert list_reasons(toy, asked, listed.rows(np.zeros(0, np.int64))) == []
