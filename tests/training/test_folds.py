"""What a fold holds out, and what it may learn from."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from interestrec.core.errors import DataError
from interestrec.corpus.store import NO_TIME, Corpus, Impressions, Timelines
from interestrec.io.schemas import TRAIN, VALID
from interestrec.training.folds import HELD_OUT, by_time, by_users

USERS, EACH = 7, 6


def corpus(times: bool = True) -> Corpus:
    """Each user's k-th event and impression are at time 10 k; the last is valid, user 6 is test alone."""
    user = np.repeat(np.arange(USERS, dtype=np.int32), EACH)
    position = np.tile(np.arange(EACH), USERS)
    time = position * 10 if times else np.full(len(user), NO_TIME)
    split = np.where(position == EACH - 1, VALID, TRAIN).astype(np.int8)
    split[user == USERS - 1] = 2
    offsets = np.arange(0, len(user) + 1, EACH)
    ones = np.ones(len(user), np.float32)
    item = position.astype(np.int32)
    made = Corpus(Path("nowhere"), None)
    shown = np.arange(len(user) + 1)
    start = np.repeat(offsets[:-1], EACH)
    made.__dict__.update(
        items=SimpleNamespace(num_rows=EACH),
        users=None,
        timelines=Timelines(offsets, user, item, time, ones, split),
        impressions=Impressions(user, time, split, start, start + position, shown, item, ones),
    )
    return made


def test_every_train_user_is_held_out_once_and_then_taught_by_nothing() -> None:
    whole = corpus()
    held = []
    for fold in range(3):
        part = by_users(whole, 3, fold, seed=1)
        out = np.unique(part.impressions.user[part.impressions.split == HELD_OUT])
        held.extend(out.tolist())
        assert not np.isin(part.impressions.user[part.impressions.split == TRAIN], out).any()
        assert not np.isin(part.timelines.user[part.timelines.split == TRAIN], out).any()
        assert (part.impressions.split == VALID).sum() == (whole.impressions.split == VALID).sum()
    assert sorted(held) == list(range(USERS - 1))  # never the user of test
    assert (whole.impressions.split == HELD_OUT).sum() == EACH  # the corpus itself is as it was


def test_blocks_of_time_learn_from_the_past_alone() -> None:
    whole, held = corpus(), []
    for fold in range(3):
        part = by_time(whole, 3, fold, seed=1)
        out = part.impressions.split == HELD_OUT
        begin = part.impressions.time[out].min()
        assert part.impressions.time[part.impressions.split == TRAIN].max() < begin
        assert part.timelines.time[part.timelines.split == TRAIN].max() < begin
        held.append(np.flatnonzero(out))
        assert not (part.impressions.user[out] == USERS - 1).any()
    assert len(np.unique(np.concatenate(held))) == sum(map(len, held))
    assert np.concatenate(held).size >= 3 * (USERS - 1)


def test_what_cannot_be_folded_is_said() -> None:
    with pytest.raises(DataError, match="6 users in train are too few for 9 folds"):
        by_users(corpus(), 9, 0, seed=1)
    with pytest.raises(DataError, match="need a time"):
        by_time(corpus(times=False), 3, 0, seed=1)
    with pytest.raises(DataError, match="too few different times"):
        by_time(corpus(), 9, 0, seed=1)
