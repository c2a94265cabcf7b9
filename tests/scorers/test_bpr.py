"""BPR finds blocks, treats strangers as it does those it was trained on, and folds in uphill."""

import hashlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
from scipy import sparse
from scipy.optimize import minimize

from interestrec.scorers import bpr
from tests.scoring.asking import events, requests

BLOCKS = [(u, i) for u in range(10) for i in range(5) if (u + i) % 4] + [
    (u, i) for u in range(10, 20) for i in range(5, 10) if (u + i) % 4
]


def fitted() -> bpr.BprFactors:
    return bpr.fit(events(BLOCKS, 30, 12), 0.5, 4, 0.05, 0.01, 60, 3, seed=1)


def test_a_stranger_gets_items_of_the_block_their_history_is_in() -> None:
    stranger, trained, empty = fitted().score_catalogue(requests([0, 1], [0, 1], [], users=[29, 0, 28]))
    assert stranger[2:5].min() > stranger[5:].max()
    np.testing.assert_array_equal(stranger, trained)
    assert not stranger[10:].any()
    assert (stranger >= 0).all()
    assert not empty[10:].any()


def test_enough_steps_reach_the_maximum_another_method_finds() -> None:
    rng = np.random.default_rng(4)
    factors, bias = rng.normal(size=(6, 3)), rng.normal(size=6)
    popularity = rng.random(6)
    popularity /= popularity.sum()
    held = [0, 2, 5]

    def loss(user: np.ndarray) -> float:
        ahead = [user @ (factors[i] - popularity @ factors) + bias[i] - popularity @ bias for i in held]
        return float(np.mean(np.log1p(np.exp(-np.array(ahead)))) + 0.05 * user @ user)

    history = sparse.csr_matrix((np.ones(3), ([0, 0, 0], held)), shape=(2, 6))
    start, *steps = (bpr.fold_in(history, factors, bias, popularity, 0.1, n) for n in (0, 1, 2, 5, 400))
    np.testing.assert_allclose(start[0], factors[held].mean(axis=0))
    values = [loss(user[0]) for user in (start, *steps)]
    assert values == sorted(values, reverse=True)
    np.testing.assert_allclose(steps[-1][0], minimize(loss, np.zeros(3)).x, atol=1e-4)
    assert not steps[-1][1].any()


def test_two_processes_find_the_same_bits() -> None:
    code = (
        "import hashlib; from tests.scorers.test_bpr import fitted, requests;"
        "print(hashlib.sha256(fitted().score_catalogue(requests([0, 1], [7], [])).tobytes()).hexdigest())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    here = fitted().score_catalogue(requests([0, 1], [7], []))
    assert hashlib.sha256(here.tobytes()).hexdigest() == other


def test_pairs_are_drawn_in_proportion_to_their_weights() -> None:
    log = events([(0, 0), (1, 1), (1, 0), (2, 1)], 3, 2)
    graded = replace(log, intensity=np.array([1.0, 0.5, 0.25, 0.01], np.float32))
    model = bpr.fit(graded, 0.5, 2, 0.1, 0.1, 1, 0, seed=1, weak_evidence=0.6)
    # weights 1, 1, 0.3 and 0.012: 10, 10, 3 and at least 1 of 24 draws
    np.testing.assert_allclose(model.popularity, [13 / 24, 11 / 24])
    assert bpr.fit(graded, 0.5, 2, 0.1, 0.1, 1, 0, seed=1).popularity.tolist() == [0.5, 0.5]


def test_a_weak_entry_of_a_history_pulls_less() -> None:
    factors = np.array([[1.0, 0.0], [0.0, 1.0]])
    history = sparse.csr_matrix(np.array([[1.0, 0.25]]))
    user = bpr.fold_in(history, factors, np.zeros(2), np.array([0.5, 0.5]), 0.1, 0)
    np.testing.assert_allclose(user, [[0.8, 0.2]])


def test_without_any_event_every_score_is_zero() -> None:
    none = events([(0, 0)], 2, 3)
    empty = type(none)(none.user[:0], none.item[:0], none.intensity[:0], none.time[:0], 2, 3)
    model = bpr.fit(empty, 0.5, 2, 0.1, 0.1, 1, 1, seed=1)
    np.testing.assert_array_equal(model.score_catalogue(requests([0])), np.zeros((1, 3)))
