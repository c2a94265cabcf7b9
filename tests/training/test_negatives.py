"""Sources of negatives: how often a batch has each item, and what the rates make of a softmax."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from interestrec.model.candidate_loss import count, total
from interestrec.model.losses import LOSSES
from interestrec.training.batches import Batch
from interestrec.training.examples import Examples
from interestrec.training.finetune_settings import NegativeSettings
from interestrec.training.in_batch_negatives import InBatchNegatives
from interestrec.training.negative_sampler import NegativeSampler
from interestrec.training.negative_source import NegativeInputs, Negatives
from interestrec.training.negatives import NEGATIVE_SOURCES
from tests.training.requests import builder, requests, timeline

ITEMS = 12
# Item 0 is never liked, and so never drawn.
POPULARITY = np.append(0.0, 2.0 ** -np.arange(ITEMS - 1.0))
POPULARITY /= POPULARITY.sum()
LOG = timeline([6, 7])
DRAWS = 20_000


def made_of(source: str, count: int = 2, most: int = 100, **settings: Any) -> Negatives:
    chosen = NegativeSettings.model_validate({"source": source, "count": count, **settings})
    vectors = np.random.default_rng(1).normal(size=(ITEMS, 4)).astype(np.float32)
    inputs = NegativeInputs(count, most, POPULARITY, True, LOG, 50, lambda: vectors)
    return NEGATIVE_SOURCES[source].make(inputs, chosen)


def events(items: list[int] | np.ndarray) -> Examples:
    """One event an example."""
    return requests(*([item] for item in items))


SOURCES: dict[str, dict[str, Any]] = {
    "popularity": {"source": "popularity"},
    "flat popularity": {"source": "popularity", "exponent": 0.5},
    "uniform": {"source": "uniform"},
    "mixed": {"source": "mixed"},
    "at most 4": {"source": "mixed", "most": 4},
}


@pytest.mark.parametrize("settings", SOURCES.values(), ids=SOURCES)
def test_the_rate_is_the_share_of_batches_that_have_the_item(settings: dict[str, Any]) -> None:
    source, chosen, rng = made_of(**settings), events([1, 2, 3]), np.random.default_rng(0)
    times, told = np.zeros(ITEMS), np.full(ITEMS, np.nan)
    for _ in range(DRAWS):
        items, log_rate = source.draw(chosen, rng)
        assert (np.diff(items) > 0).all()
        times[items] += 1
        told[items] = np.exp(log_rate)
    assert times[0] == 0
    assert (times[1:] > 0).all()
    # Five standard errors of the share.
    error = 5 * np.sqrt(told[1:] * (1 - told[1:]) / DRAWS)
    assert (np.abs(times[1:] / DRAWS - told[1:]) <= error).all()
    assert np.ptp(told[1:]) > 0.3 or settings["source"] == "uniform"


def test_rates_by_hand() -> None:
    p, draws = POPULARITY, 6  # two for each of three events
    expected = {
        "popularity": 1 - (1 - p) ** draws,
        "uniform": np.full(ITEMS, 1 - (1 - 1 / 11) ** draws),
        "mixed": 1 - (1 - p) ** 3 * (1 - 1 / 11) ** 3,
    }
    for name, rates in expected.items():
        items, log_rate = made_of(name).draw(events([1, 2, 3]), np.random.default_rng(0))
        np.testing.assert_allclose(np.exp(log_rate), rates[items], rtol=1e-5, err_msg=name)
        assert (items.dtype, log_rate.dtype) == (np.int32, np.float32)


def test_as_many_draws_as_items_are_the_catalogue() -> None:
    for name, draws, most in (("popularity", 4, 100), ("uniform", 100, 11), ("mixed", 11, 100)):
        items, log_rate = made_of(name, draws, most).draw(events([1, 2, 3]), np.random.default_rng(0))
        np.testing.assert_array_equal(items, np.arange(1, ITEMS), err_msg=name)
        np.testing.assert_array_equal(log_rate, np.zeros(ITEMS - 1))
    assert len(made_of("popularity", 100, 10).draw(events([1, 2, 3]), np.random.default_rng(0)).items) < ITEMS - 1


def test_exponents_change_what_is_popular() -> None:
    flat, steep = (NegativeSampler.from_popularity(POPULARITY, 2, 9, exponent) for exponent in (0.0, 2.0))
    np.testing.assert_allclose(flat.popular, np.append(0, np.full(11, 1 / 11)))
    np.testing.assert_allclose(steep.popular, POPULARITY**2 / (POPULARITY**2).sum())


@pytest.mark.parametrize("settings", SOURCES.values(), ids=SOURCES)
def test_few_negatives_estimate_the_sum_over_the_catalogue(settings: dict[str, Any]) -> None:
    source, chosen, rng = made_of(**settings), events([1, 2, 3]), np.random.default_rng(1)
    scores = rng.normal(size=ITEMS)
    found = []
    for _ in range(DRAWS):
        items, log_rate = source.draw(chosen, rng)
        found.append(np.exp(scores[items] - log_rate).sum())
    assert np.std(found) > 0
    error = 5 * np.std(found) / np.sqrt(DRAWS)
    assert np.mean(found) == pytest.approx(np.exp(scores[1:]).sum(), abs=error)


def test_the_batch_lends_its_positives_at_the_rate_of_a_batch() -> None:
    chosen = requests([1, 2], [2], [4, 5], label=np.array([1, 1, 0.5, 1, 0], np.float32))
    items, log_rate = InBatchNegatives(POPULARITY, 9).draw(chosen, np.random.default_rng(0))
    np.testing.assert_array_equal(items, [1, 2, 4])  # 5 was no positive
    np.testing.assert_allclose(np.exp(log_rate), 1 - (1 - POPULARITY[[1, 2, 4]]) ** 4, rtol=1e-5)
    limited = InBatchNegatives(POPULARITY, 2).draw(chosen, np.random.default_rng(0)).items
    assert len(limited) == 2
    assert set(limited.tolist()) < {1, 2, 4}


def test_a_batch_without_a_positive_has_nothing_to_lend() -> None:
    chosen = requests([1], [2], label=np.zeros(2, np.float32))
    items, log_rate = InBatchNegatives(POPULARITY, 9).draw(chosen, np.random.default_rng(0))
    assert (items.shape, log_rate.shape) == ((0,), (0,))


def test_impressions_lend_their_positives_and_take_none() -> None:
    chosen = requests([1, 2], [4], label=np.array([1, 0, 1], np.float32), sampled=[False, True])
    batch = builder(LOG, ITEMS).build(chosen, InBatchNegatives(POPULARITY, 9), np.random.default_rng(0))
    np.testing.assert_array_equal(batch.distinct[batch.shared], [1, 4])
    np.testing.assert_array_equal(batch.present, [[True, True, False, False], [True, False, True, False]])


def softmax_of(batch: Batch, scores: tf.Tensor, corrected: bool) -> tf.Tensor:
    """The softmax loss where an item scores alike for every user."""
    own, shared = batch.distinct[batch.candidates], batch.distinct[batch.shared]
    logits = tf.gather(scores, np.concatenate([own, np.tile(shared, (len(own), 1))], axis=1))
    lists = (batch.labels, batch.present, batch.known)
    summed = total(LOSSES["softmax"], logits, *lists, batch.log_rate if corrected else None)
    return summed / count(LOSSES["softmax"], *lists)


def test_the_softmax_over_the_catalogue_is_exact() -> None:
    scores = np.random.default_rng(0).normal(size=ITEMS).astype(np.float32)
    chosen, source = events([1, 2, 2]), NegativeSampler.from_popularity(POPULARITY, 100, 100)
    batch = builder(LOG, ITEMS).build(chosen, source, np.random.default_rng(0))
    expected = np.log(np.exp(scores[1:]).sum()) - scores[[1, 2, 2]].mean()
    assert float(softmax_of(batch, tf.constant(scores), corrected=True)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["popularity", "mixed", "in_batch"])
def test_corrected_negatives_keep_popularity_in_the_score(name: str) -> None:
    """At the true log popularity log p the gradient of the corrected loss along log p vanishes.

    Without the correction it vanishes at log(p / π), where π is the share of batches with the item: what is learned is
    P(i | u) / P(i), the same for all items, as far as π is in proportion to popularity (Levy and Goldberg 2014).
    """
    items = 60
    popularity = np.linspace(1, 10, items) / np.linspace(1, 10, items).sum()
    rng = np.random.default_rng(0)
    inputs = NegativeInputs(1, 32, popularity, True, LOG, 50, lambda: np.zeros((items, 1)))
    source = NEGATIVE_SOURCES[name].make(inputs, NegativeSettings.model_validate({"source": name}))
    made = builder(LOG, items)
    chosen = [events(rng.choice(items, 32, p=popularity)) for _ in range(300)]
    batches = [made.build(part, source, np.random.default_rng([1, n])) for n, part in enumerate(chosen)]

    def slope(scores: np.ndarray, corrected: bool) -> float:
        variable, summed = tf.Variable(scores.astype(np.float32)), np.zeros(items)
        for batch in batches:
            with tf.GradientTape() as tape:
                loss = softmax_of(batch, variable, corrected)
            summed += tf.convert_to_tensor(tape.gradient(loss, variable)).numpy()
        return float(np.abs(summed @ (np.log(popularity) - np.log(popularity).mean())))

    missing = (1 - popularity) ** 16 * (1 - 1 / items) ** 16 if name == "mixed" else (1 - popularity) ** 32
    of_popularity, relative = np.log(popularity), np.log(popularity / (1 - missing))
    assert np.ptp(relative) < (0.8 if name == "mixed" else 0.3) * np.ptp(of_popularity)
    assert slope(of_popularity, corrected=True) < 0.2 * slope(np.zeros(items), corrected=True)
    assert slope(relative, corrected=False) < 0.2 * slope(of_popularity, corrected=False)


def test_what_negatives_stand_for_decides_how_they_are_drawn() -> None:
    """Lists over the catalogue learn from all items alike, impressions from what could have been shown."""
    for of_catalogue, source in ((True, "mixed"), (False, "popularity")):
        inputs = NegativeInputs(1, 32, POPULARITY, of_catalogue, LOG, 50, lambda: np.zeros((8, 1)))
        settings = NegativeSettings.model_validate({"source": "auto"})
        same = NegativeSettings.model_validate({"source": source})
        made = NEGATIVE_SOURCES["auto"].make(inputs, settings)
        assert made.popular_share == NEGATIVE_SOURCES[source].make(inputs, same).popular_share
