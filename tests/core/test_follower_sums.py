"""Changes of followers, against a count of all pairs before and after."""

import numpy as np
import pytest

from interestrec.core.follower_sums import FollowerSums


def sums(rng: np.random.Generator, events: int, kept: FollowerSums | None = None) -> FollowerSums:
    """Random events, after those of `kept` but for a few."""
    user, item, time = (rng.integers(0, most, events) for most in (6, 5, 30))
    if kept is not None:
        stays = rng.random(len(kept.user)) < 0.95
        new = (kept.user, kept.item, kept.time)
        user, item, time = (np.append(old[stays], more) for old, more in zip(new, (user, item, time), strict=True))
    order = np.lexsort((item, time, user))
    return FollowerSums(user[order], item[order], time[order], np.exp2(-time[order] / 9.0), 8, 3, 5)


@pytest.mark.parametrize("seed", range(20))
def test_a_change_is_the_difference_of_both(seed: int) -> None:
    rng = np.random.default_rng(seed)
    before = sums(rng, 60)
    after = sums(rng, 4, before)
    changed, expected = before.stored().changed(after.change_from(before)), after.stored()
    np.testing.assert_array_equal(changed.cell, expected.cell)
    np.testing.assert_array_equal(changed.count, expected.count)
    np.testing.assert_allclose(changed.value, expected.value, rtol=1e-9)


def test_pairs_before_the_first_change_are_not_counted() -> None:
    user, time = np.zeros(50, np.int64), np.arange(50)
    item = np.arange(50)
    before, after = (FollowerSums(user[:n], item[:n], time[:n], np.ones(n), 100, 10, 60) for n in (49, 50))
    change = after.change_from(before)
    assert len(change.cell) == 10
    assert change.count.tolist() == [1] * 10
