"""What holds for every source of negatives, so that a new one is tested without being asked."""

import numpy as np
import pytest

from interestrec.corpus.store import NO_TIME, Timelines
from interestrec.training.batches import build_batch
from interestrec.training.examples import Examples
from interestrec.training.finetune_settings import NegativeSettings
from interestrec.training.negative_source import NegativeInputs, Negatives
from interestrec.training.negatives import NEGATIVE_SOURCES

USERS, READ, ITEMS = 12, 4, 30
RNG = np.random.default_rng(3)
ITEM = np.stack([RNG.permutation(ITEMS)[: READ + 1] for _ in range(USERS)]).astype(np.int32)
TIMELINES = Timelines(
    offsets=np.arange(USERS + 1) * READ,
    user=np.repeat(np.arange(USERS, dtype=np.int32), READ),
    item=ITEM[:, :READ].ravel(),
    time=np.full(USERS * READ, NO_TIME),
    intensity=np.ones(USERS * READ, np.float32),
    split=np.zeros(USERS * READ, np.int8),
)
EXAMPLES = Examples(
    start=np.arange(USERS) * READ,
    end=np.arange(1, USERS + 1) * READ,
    offsets=np.arange(USERS + 1),
    item=ITEM[:, READ],
    label=np.ones(USERS, np.float32),
    sampled=np.ones(USERS, bool),
    row=np.arange(USERS),
)
registered = pytest.mark.parametrize("name", NEGATIVE_SOURCES)


def source_of(name: str) -> Negatives:
    """The source with its defaults at the beginning of an epoch."""
    settings = NegativeSettings.model_validate({"source": name, "count": 6})
    popularity = np.bincount(ITEM.ravel(), minlength=ITEMS) / ITEM.size
    vectors = np.random.default_rng(1).normal(size=(ITEMS, 4)).astype(np.float32)
    inputs = NegativeInputs(6, popularity, EXAMPLES, TIMELINES, 3, lambda: vectors)
    source = NEGATIVE_SOURCES[name].make(inputs, settings)
    if source.begin_epoch is not None:
        source.begin_epoch()
    return source


@registered
def test_it_draws_items_for_every_example_and_the_same_ones_for_the_same_seed(name: str) -> None:
    drawn = [source_of(name).draw(EXAMPLES, np.random.default_rng(5)) for _ in range(2)]
    assert drawn[0].shape[0] == USERS
    assert drawn[0].shape[1] > 0
    assert drawn[0].dtype.kind == "i"
    assert (drawn[0] >= 0).all()
    assert (drawn[0] < ITEMS).all()
    np.testing.assert_array_equal(*drawn)


@registered
def test_a_batch_has_no_negative_that_is_in_the_history_or_the_positive(name: str) -> None:
    batch = build_batch(EXAMPLES, TIMELINES, source_of(name), 3, np.random.default_rng(5))
    negatives = batch.distinct[batch.candidates][:, 1:]
    assert batch.present[:, 1:].any()
    for user in range(USERS):
        assert not set(negatives[user][batch.present[user, 1:]].tolist()) & set(ITEM[user].tolist())


@registered
def test_log_rates_are_of_the_shape_of_the_items_and_differ_only_where_they_are_taken_off(name: str) -> None:
    items = ITEM[:, READ:]
    rates = source_of(name).log_rate(items)
    assert rates.shape == items.shape
    assert rates.dtype == np.float32
    assert np.isfinite(rates).all()
    assert rates.any() == NEGATIVE_SOURCES[name].subtract_log_rate
