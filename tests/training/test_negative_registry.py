"""What holds for every source of negatives, so that a new one is tested without being asked."""

import numpy as np
import pytest

from interestrec.corpus.store import NO_TIME, Timelines
from interestrec.training.finetune_settings import NegativeSettings
from interestrec.training.negative_source import NegativeInputs, Negatives
from interestrec.training.negatives import NEGATIVE_SOURCES
from tests.training.requests import builder, requests

USERS, READ, ITEMS, MOST = 12, 4, 30, 9
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
EXAMPLES = requests(*ITEM[:, READ:].tolist(), start=np.arange(USERS) * READ, end=np.arange(1, USERS + 1) * READ)
registered = pytest.mark.parametrize("name", NEGATIVE_SOURCES)


def source_of(name: str) -> Negatives:
    """The source with its defaults at the beginning of an epoch."""
    settings = NegativeSettings.model_validate({"source": name, "count": 6})
    popularity = np.bincount(ITEM.ravel(), minlength=ITEMS) / ITEM.size
    vectors = np.random.default_rng(1).normal(size=(ITEMS, 4)).astype(np.float32)
    inputs = NegativeInputs(6, MOST, popularity, True, TIMELINES, 3, lambda: vectors)
    source = NEGATIVE_SOURCES[name].make(inputs, settings)
    if source.begin_epoch is not None:
        source.begin_epoch()
    return source


@registered
def test_it_draws_distinct_items_and_the_same_ones_for_the_same_seed(name: str) -> None:
    drawn = [source_of(name).draw(EXAMPLES, np.random.default_rng(5)) for _ in range(2)]
    items, log_rate = drawn[0]
    assert 0 < len(items) <= MOST
    assert (items.dtype, log_rate.dtype) == (np.int32, np.float32)
    assert (np.diff(items) > 0).all()
    assert (items >= 0).all()
    assert (items < ITEMS).all()
    for one, other in zip(*drawn, strict=True):
        np.testing.assert_array_equal(one, other)


@registered
def test_a_batch_has_no_negative_that_is_in_the_history_or_the_positive(name: str) -> None:
    batch = builder(TIMELINES, ITEMS, max_history=3).build(EXAMPLES, source_of(name), np.random.default_rng(5))
    negatives = batch.distinct[batch.shared]
    assert batch.present[:, 1:].any()
    for user in range(USERS):
        assert not set(negatives[batch.present[user, 1:]].tolist()) & set(ITEM[user].tolist())


@registered
def test_rates_are_logs_of_shares(name: str) -> None:
    items, log_rate = source_of(name).draw(EXAMPLES, np.random.default_rng(5))
    assert log_rate.shape == items.shape
    assert np.isfinite(log_rate).all()
    assert (log_rate <= 0).all()
