"""Lists without the events that explain them: by hand, and against random events and attention."""

from pathlib import Path

import numpy as np
import pytest

from interestrec.answering import deletions
from interestrec.answering.deletions import measure_deletions, sampled_requests
from interestrec.evaluation.deletion_curves import deletion_rows
from interestrec.io.schemas import BY_ATTENTION, BY_EFFECT, BY_RANDOM, DELETIONS
from interestrec.scorers.requests import Requests
from tests.answering.toys import Linear, linear, recommender
from tests.scoring.corpora import Event


class Attentive(Linear):
    """Weighs the oldest event most."""

    def history_attention(self, requests: Requests) -> np.ndarray:
        return -requests.time.astype(np.float32)


def log_of(rng: np.random.Generator, users: int, items: int, events: int) -> list[Event]:
    return [Event(u, int(i), float(day)) for u in range(users) for day, i in enumerate(rng.integers(0, items, events))]


def test_by_hand(tmp_path: Path) -> None:
    row = np.zeros((8, 8))
    row[:5, 7] = [1, 5, 2, 4, 3]  # item 7 is the first; events 1, 3, 4, 2, 0 speak for it in this order
    log = [Event(0, item, float(item)) for item in range(5)]
    toy = recommender(tmp_path, log, 1, {"popularity": Attentive(row, np.zeros(8))})
    requests = toy.ask_users(np.array([0]), toy.moment, 1).requests
    table = measure_deletions(toy, requests, 1)
    assert table.schema == DELETIONS
    found = {(r["by"], r["removed"]): r for r in table.to_pylist()}
    assert sorted(found) == sorted((by, n) for by in (BY_EFFECT, BY_ATTENTION, BY_RANDOM) for n in (1, 2, 3))
    # One item above seven equal ones is sqrt(7) deviations above the mean, whatever it has: all falls are 0 ...
    assert all(abs(r["score_drop"]) < 1e-6 for r in found.values())
    assert all((r["history"], r["item_id"], r["rank"], r["cold_item"]) == (5, "i7", 1, False) for r in found.values())
    # ... beside another item of a constant score they are those of the raw scores.
    own = np.array([0, 0, 0, 0, 0, 0, 8.0, 0])
    toy = recommender(tmp_path / "beside", log, 1, {"popularity": Attentive(row, own)})
    found = {(r["by"], r["removed"]): r for r in measure_deletions(toy, requests, 1).to_pylist()}

    def score(removed: list[int]) -> float:
        raw = own + row[[e for e in range(5) if e not in removed]].sum(axis=0)
        return float((raw[7] - raw.mean()) / raw.std())

    for count, events in ((1, [1]), (2, [1, 3]), (3, [1, 3, 4])):
        assert found[BY_EFFECT, count]["score_drop"] == pytest.approx(score([]) - score(events), abs=1e-5)
    for count in (1, 2, 3):  # the oldest first
        assert found[BY_ATTENTION, count]["score_drop"] == pytest.approx(score([]) - score([*range(count)]), abs=1e-5)
    assert found[BY_EFFECT, 2]["rank"] == 2  # 6 against 8


def test_samples_are_of_histories_that_are_long_enough(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    log = [event for event in log_of(rng, 20, 9, 9) if event.day < event.user]  # user u has u events
    toy = recommender(tmp_path, log, 20, {"popularity": linear(rng, 9)})
    requests = toy.ask_users(np.arange(20), toy.moment, 1).requests
    assert sampled_requests(requests, 100, 1).user.tolist() == list(range(5, 20))
    few = sampled_requests(requests, 4, 1)
    assert len(few) == 4
    assert np.array_equal(few.user, sampled_requests(requests, 4, 1).user)
    assert len({tuple(sampled_requests(requests, 4, seed).user) for seed in range(9)}) > 1


def test_effects_beat_random_events_and_explanations_of_others_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(2)
    toy = recommender(tmp_path, log_of(rng, 60, 40, 12), 60, {"popularity": linear(rng, 40, density=0.3)})
    requests = toy.ask_users(np.arange(60), toy.moment, 1).requests
    true = lead(measure_deletions(toy, requests, 3))
    assert true["lead_low"] > 0
    orders = deletions._first_events

    def of_others(requests: Requests, value: np.ndarray) -> object:  # the explanation of the next user's history
        return orders(requests, np.roll(value, 12))

    monkeypatch.setattr(deletions, "_first_events", of_others)
    other = lead(measure_deletions(toy, requests, 3))
    assert other["lead_low"] < 0 < other["lead_high"]
    assert other["lead"] < true["lead"] / 4


def lead(table: object) -> dict[str, float]:
    rows = deletion_rows(table, 500, 1, 1)  # type: ignore[arg-type]
    (found,) = [r for r in rows if (r["segment"], r["by"], r["removed"]) == ("all", BY_RANDOM, 0)]
    return found


def test_lists_that_hold_nothing_are_left_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    log = [Event(0, item, float(item)) for item in range(6)] + [Event(1, item % 5, float(item)) for item in range(6)]
    toy = recommender(tmp_path, log, 2, {"popularity": linear(rng, 6)})
    requests = toy.ask_users(np.arange(2), toy.moment, 1).requests  # user 0 has had all items
    assert set(measure_deletions(toy, requests, 1)["user_id"].to_pylist()) == {"u1"}
    assert measure_deletions(toy, requests.rows(np.zeros(0, np.int64)), 1).num_rows == 0
