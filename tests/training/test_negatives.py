"""Where negatives come from: how often each item is drawn, and what the batch's own positives estimate."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from interestrec.corpus.store import NO_TIME, Timelines
from interestrec.model.candidate_loss import count, total
from interestrec.model.losses import LOSSES
from interestrec.training.batches import Batch, build_batch
from interestrec.training.examples import Examples
from interestrec.training.finetune_settings import NegativeSettings
from interestrec.training.in_batch_negatives import InBatchNegatives
from interestrec.training.negative_source import NegativeInputs, Negatives
from interestrec.training.negatives import NEGATIVE_SOURCES

POPULARITY = np.array([0.0, 0.5, 0.125, 0.375])
TIMELINES = Timelines(
    offsets=np.array([0, 2]),
    user=np.zeros(2, np.int32),
    item=np.array([6, 7], np.int32),
    time=np.full(2, NO_TIME),
    intensity=np.ones(2, np.float32),
    split=np.zeros(2, np.int8),
)


def events(items: list[int] | np.ndarray, read: int = 0) -> Examples:
    """One positive an example, each after the first `read` events of the timeline."""
    count = len(items)
    return Examples(
        start=np.zeros(count, np.int64),
        end=np.full(count, read, np.int64),
        offsets=np.arange(count + 1),
        item=np.array(items, np.int32),
        label=np.ones(count, np.float32),
        sampled=np.ones(count, bool),
        row=np.arange(count),
    )


def made_of(settings: NegativeSettings, examples: Examples) -> Negatives:
    """A source for these examples; vectors of 8 items, where it looks at any."""
    vectors = np.random.default_rng(1).normal(size=(8, 4)).astype(np.float32)
    inputs = NegativeInputs(settings.count, POPULARITY, examples, TIMELINES, 50, lambda: vectors)
    return NEGATIVE_SOURCES[settings.source].make(inputs, settings)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"source": "popularity"}, [0, 4 / 8, 1 / 8, 3 / 8]),
        ({"source": "popularity", "exponent": 2.0}, [0, 16 / 26, 1 / 26, 9 / 26]),
        ({"source": "popularity", "exponent": 0.5}, [0, 2 / (3 + 3**0.5), 1 / (3 + 3**0.5), 3**0.5 / (3 + 3**0.5)]),
        ({"source": "popularity", "exponent": 0.0}, [0, 1 / 3, 1 / 3, 1 / 3]),
        ({"source": "uniform"}, [0, 1 / 3, 1 / 3, 1 / 3]),
    ],
)
def test_items_come_as_often_as_the_source_says(settings: dict[str, Any], expected: list[float]) -> None:
    chosen = events([1] * 500)
    source = made_of(NegativeSettings.model_validate({"count": 100, **settings}), chosen)
    drawn = source.draw(chosen, np.random.default_rng(0))
    assert drawn.shape == (500, 100)
    # Four standard errors of 50,000 draws.
    np.testing.assert_allclose(np.bincount(drawn.ravel(), minlength=4) / drawn.size, expected, atol=0.009)
    assert (source.log_rate(drawn) == 0).all()


def taken(batch: Batch, example: int) -> list[int]:
    """The negatives of an example, sorted."""
    return sorted(batch.distinct[batch.candidates][example, 1:][batch.present[example, 1:]].tolist())


def made(examples: Examples, source: Negatives) -> Batch:
    return build_batch(examples, TIMELINES, source, 50, np.random.default_rng(0))


def test_the_batch_lends_its_positives_without_hits() -> None:
    examples = events([1, 2, 2, 6], read=1)  # 6 was read
    batch = made(examples, InBatchNegatives.from_examples(examples, 8))
    assert [taken(batch, n) for n in range(4)] == [[2, 2], [1], [1], [1, 2, 2]]
    np.testing.assert_array_equal(batch.known, [[True] + [False] * 4] * 4)
    np.testing.assert_array_equal(batch.labels, np.array([[1, 0, 0, 0, 0]] * 4, np.float32))
    share = np.array([0, 1, 2, 0, 0, 0, 1, 0]) / 4
    found = batch.distinct[batch.candidates]
    np.testing.assert_allclose(np.exp(batch.log_rate)[batch.present], share[found][batch.present], rtol=1e-6)


def test_impressions_lend_their_positives_and_take_none() -> None:
    shown = Examples(
        start=np.zeros(2, np.int64),
        end=np.zeros(2, np.int64),
        offsets=np.array([0, 3, 4]),
        item=np.array([1, 2, 3, 4], np.int32),
        label=np.array([0.5, 0, 1, 1], np.float32),
        sampled=np.array([False, True]),
        row=np.arange(2),
    )
    batch = made(shown, InBatchNegatives.from_examples(shown, 8))
    np.testing.assert_array_equal(batch.present, [[True] * 3 + [False] * 3, [True, False, False, True, True, False]])
    assert taken(batch, 1) == [1, 3]
    assert (batch.log_rate[0] == 0).all()
    np.testing.assert_allclose(batch.log_rate[1, [0, 3, 4]], np.log(1 / 3), rtol=1e-6)


def test_a_batch_without_a_positive_has_nothing_to_lend() -> None:
    examples = events([1, 2])
    unknown = replace(examples, offsets=np.zeros(3, np.int64), item=examples.item[:0], label=examples.label[:0])
    batch = made(unknown, InBatchNegatives.from_examples(unknown, 8))
    assert batch.candidates.shape == (2, 0)


def softmax_of(batch: Batch, scores: tf.Tensor, corrected: bool) -> tf.Tensor:
    """The softmax loss where an item scores alike for every user."""
    logits = tf.gather(scores, batch.distinct[batch.candidates])
    lists = (batch.labels, batch.present, batch.known)
    summed = total(LOSSES["softmax"], logits, *lists, batch.log_rate if corrected else None)
    return summed / count(LOSSES["softmax"], *lists)


def test_softmax_over_the_batch_is_that_of_yi() -> None:
    items, scores = [1, 2, 2, 4, 5], np.random.default_rng(0).normal(size=8).astype(np.float32)
    examples = events(items)
    share = {item: items.count(item) / len(items) for item in items}
    losses = []
    for own in items:
        weights = {n: np.exp(scores[item]) / share[item] for n, item in enumerate(items) if item != own}
        mine = np.exp(scores[own]) / share[own]
        losses.append(-np.log(mine / (mine + sum(weights.values()))))
    batch = made(examples, InBatchNegatives.from_examples(examples, 8))
    assert float(softmax_of(batch, tf.constant(scores), corrected=True)) == pytest.approx(np.mean(losses), rel=1e-5)


@pytest.mark.slow
def test_the_correction_keeps_popularity_in_the_score_and_without_it_none_is_left() -> None:
    rng = np.random.default_rng(0)
    popularity = np.linspace(1, 10, 60) / np.linspace(1, 10, 60).sum()
    examples = events(rng.choice(60, 64 * 200, p=popularity))
    source = InBatchNegatives.from_examples(examples, 60)
    batches = [made(examples.select(np.arange(n, n + 64)), source) for n in range(0, len(examples), 64)]

    def slope(scores: np.ndarray, corrected: bool) -> float:
        variable, total = tf.Variable(scores.astype(np.float32)), np.zeros(60)
        for batch in batches:
            with tf.GradientTape() as tape:
                loss = softmax_of(batch, variable, corrected)
            total += tf.convert_to_tensor(tape.gradient(loss, variable)).numpy()
        return float(np.abs(total).sum())

    of_popularity, of_nothing = source.log_share, np.zeros(60)
    assert slope(of_popularity, corrected=True) < 0.1 * slope(of_nothing, corrected=True)
    assert slope(of_nothing, corrected=False) < 0.1 * slope(of_popularity, corrected=False)
