"""Counts and totals of losses, of parts and of the whole; smoothing of labels."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, log_expit, log_softmax, softmax

from interestrec.model.candidate_loss import count, total
from interestrec.model.losses import LOSSES

LOGITS = np.array([[1.0, 0.25, 0.0, 9.0], [0.3, -0.4, 2.0, 0.1], [5.0, 1.0, 2.0, 3.0], [0, 1, 0, 2]], np.float32)
LABELS = np.array([[0.5, 1.0, 0.0, 1.0], [0.0, 0.75, 0.25, 0.75], [0.5, 0.5, 0.5, 1.0], [0, 0, 0, 0]], np.float32)
PRESENT = np.array([[1, 1, 1, 0], [1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0]], bool)
KNOWN = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 0, 0]], bool)
LISTS = (LABELS, PRESENT, KNOWN)
EPSILON = 0.2


@pytest.mark.parametrize(
    ("name", "expected"),
    # Known candidates; lists with a positive that is there; lists whose labels differ where something is.
    [("intensity", 8), ("huber", 8), ("softmax", 3), ("listnet", 2), ("pairwise", 2)],
)
def test_what_each_loss_counts(name: str, expected: int) -> None:
    assert float(count(LOSSES[name], *LISTS)) == expected


def by_hand(name: str, smoothing: float) -> float:
    """The total of a loss in numpy, list by list."""
    values = []
    for logits, labels, present, known in zip(LOGITS.astype(float), *LISTS, strict=True):
        s, y, there = logits[present], labels[present].astype(float), known[present]
        wanted = (1 - smoothing) * y + smoothing / 2
        if name == "intensity":
            values += list((-wanted * log_expit(s) - (1 - wanted) * log_expit(-s))[there])
        elif name == "huber":
            error = np.abs(expit(s) - wanted)[there]
            values += list(np.where(error <= 0.25, error**2 / 2, 0.25 * (error - 0.125)))
        elif name == "softmax" and y.any():
            values.append(-((1 - smoothing) * y / y.sum() + smoothing / len(y)) @ log_softmax(s))
        elif name == "listnet" and np.ptp(y):
            values.append(-softmax(y / 0.1) @ log_softmax(s))
        elif name == "pairwise" and np.ptp(y):
            pairs = [(i, j) for i in range(len(y)) for j in range(len(y)) if y[i] > y[j]]
            right = np.array([-log_expit(s[i] - s[j]) for i, j in pairs])
            wrong = np.array([-log_expit(s[j] - s[i]) for i, j in pairs])
            weights = [y[i] - y[j] for i, j in pairs]
            values.append(np.average((1 - smoothing) * right + smoothing * wrong, weights=weights))
    return float(np.sum(values))


@pytest.mark.parametrize("smoothing", [0.0, EPSILON])
@pytest.mark.parametrize("name", ["intensity", "softmax", "listnet", "pairwise", "huber"])
def test_totals_by_hand(name: str, smoothing: float) -> None:
    found = float(total(LOSSES[name], LOGITS, *LISTS, smoothing=smoothing))
    assert found == pytest.approx(by_hand(name, smoothing), rel=1e-5)
    # Every loss but ListNet, whose target is smooth already, is another one with smoothing.
    plain = float(total(LOSSES[name], LOGITS, *LISTS))
    assert (abs(found - plain) > 1e-3) == (smoothing > 0 and name != "listnet")


@pytest.mark.parametrize("name", LOSSES)
def test_the_parts_add_up_to_the_whole(name: str) -> None:
    loss, rate = LOSSES[name], np.random.default_rng(0).normal(size=LOGITS.shape).astype(np.float32)
    parts = [slice(0, 1), slice(1, 3), slice(3, 4), slice(4, 4)]
    totals = [float(total(loss, *(a[p] for a in (LOGITS, *LISTS, rate)), smoothing=EPSILON)) for p in parts]
    assert sum(totals) == pytest.approx(float(total(loss, LOGITS, *LISTS, rate, EPSILON)), rel=1e-6)
    counts = [float(count(loss, *(array[p] for array in LISTS))) for p in parts]
    assert sum(counts) == float(count(loss, *LISTS))
    assert totals[-1] == counts[-1] == 0  # an empty slice


@pytest.mark.parametrize("name", ["intensity", "huber"])
def test_the_best_intensity_with_smoothing_is_nearer_to_a_half(name: str) -> None:
    wanted = (1 - EPSILON) * 1.0 + EPSILON / 2
    logit = tf.Variable([[np.log(wanted / (1 - wanted))]], dtype=tf.float32)
    yes = tf.constant([[True]])
    with tf.GradientTape() as tape:
        loss = total(LOSSES[name], logit, tf.constant([[1.0]]), yes, yes, smoothing=EPSILON)
    assert float(tape.gradient(loss, logit)[0, 0]) == pytest.approx(0, abs=1e-6)
