"""Leak audit: counts that show whether the test split could have leaked into training, each with its meaning."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from interestrec.core import ragged
from interestrec.corpus.store import NO_TIME, Corpus
from interestrec.io.schemas import TEST

OK, LOOK = "ok", "look"
_STANDARD_ERRORS = 4.0  # largest distance from chance of permuted labels


@dataclass(frozen=True)
class AuditCheck:
    """One count and its meaning."""

    check: str
    count: int | None  # None if too few users are behind it
    total: int | None
    verdict: str  # "ok", "look" if something is wrong, or "" if the count only describes the test split
    meaning: str
    users: tuple[int, int] = (0, 0)  # users behind the count, and behind the remainder

    @property
    def share(self) -> float | None:
        """The count as a share of the total; None without a count or a total."""
        return self.count / self.total if self.total and self.count is not None else None

    @property
    def values(self) -> dict[str, Any]:
        """The check as JSON values."""
        return {
            "check": self.check,
            "count": self.count,
            "of": self.total,
            "verdict": self.verdict,
            "meaning": self.meaning,
            "share": self.share,
        }

    def without_small_counts(self, min_users: int) -> "AuditCheck":
        """Return the check without its counts if fewer than `min_users` users are behind them or behind the remainder.

        The verdict stays, so that a leak is reported even if it concerns few users.
        """
        if any(0 < users < min_users for users in self.users):
            return replace(self, count=None, total=None)
        return self


def audit_leaks(corpus: Corpus) -> list[AuditCheck]:
    """Return checks of the overlap of test with train and valid, and of the order of events in time."""
    return [*_overlap_checks(corpus), *_time_checks(corpus)]


def permute_labels(values: np.ndarray) -> AuditCheck | None:
    """Check that labels permuted within their lists are ranked at chance level.

    Args:
        values: float64 [lists], the `auc` of each list with its labels permuted; NaN if the list has one class.

    Returns:
        The check, whose count is the number of lists; None with fewer than two lists.
    """
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return None
    mean, error = float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
    at_chance = abs(mean - 0.5) <= _STANDARD_ERRORS * max(error, 1e-9)
    return AuditCheck(
        "permuted labels",
        len(values),
        len(values),
        OK if at_chance else LOOK,
        f"with test labels permuted within their lists, the auc is {mean:.4f} (standard error {error:.4f}); chance is "
        "0.5, and any other value would mean that the evaluation uses more than the scores",
    )


def _overlap_checks(corpus: Corpus) -> list[AuditCheck]:
    events, impressions = corpus.timelines, corpus.impressions
    before_test = events.split < TEST
    earlier_positive = before_test & corpus.relevant(events.intensity)
    test = np.flatnonzero(
        ragged.repeat(impressions.offsets, impressions.split == TEST) & corpus.relevant(impressions.label)
    )
    item, user = impressions.item[test], ragged.repeat(impressions.offsets, impressions.user)[test]
    test_items, known_items = (
        _membership(item, corpus.items.num_rows),
        _membership(events.item[earlier_positive], corpus.items.num_rows),
    )
    test_users, known_users = (
        _membership(user_rows, corpus.users.num_rows)
        for user_rows in (impressions.user[impressions.split == TEST], events.user[before_test])
    )
    n_items = corpus.items.num_rows
    pairs = np.unique(user.astype(np.int64) * n_items + item)
    pair_users = pairs // n_items
    candidates = earlier_positive & test_users[events.user] & test_items[events.item]
    earlier_pairs = events.user[candidates].astype(np.int64) * n_items + events.item[candidates]
    position = np.minimum(np.searchsorted(pairs, earlier_pairs), max(len(pairs) - 1, 0))
    repeated = (
        _membership(position[pairs[position] == earlier_pairs], len(pairs)) if len(pairs) else np.zeros(0, dtype=bool)
    )
    return [
        AuditCheck(
            "relevant test items known",
            int((test_items & known_items).sum()),
            int(test_items.sum()),
            "",
            "have a relevant event in train or valid; the others are cold, and a model knows only their attributes",
            _users(known_items[item], user),
        ),
        AuditCheck(
            "test users known",
            int((test_users & known_users).sum()),
            int(test_users.sum()),
            "",
            "have an event in train or valid; for the others, a model knows only the history of the request",
            (int((test_users & known_users).sum()), int((test_users & ~known_users).sum())),
        ),
        AuditCheck(
            "relevant test pairs known",
            int(repeated.sum()),
            len(pairs),
            "",
            "of a user and an item already occurred in train or valid; lists leave these repeats out if "
            "rank.rules.seen is out",
            _users(repeated, pair_users),
        ),
    ]


def _users(matching: np.ndarray, user: np.ndarray) -> tuple[int, int]:
    """Count the distinct users of the matching rows, and of the others."""
    return len(np.unique(user[matching])), len(np.unique(user[~matching]))


def _membership(numbers: np.ndarray, size: int) -> np.ndarray:
    """Return bool [size]: which numbers occur."""
    member = np.zeros(size, dtype=bool)
    member[numbers] = True
    return member


def _time_checks(corpus: Corpus) -> list[AuditCheck]:
    events, impressions = corpus.timelines, corpus.impressions
    test = (impressions.split == TEST) & (impressions.time != NO_TIME)
    first = np.full(corpus.users.num_rows, np.iinfo(np.int64).max)
    np.minimum.at(first, impressions.user[test], impressions.time[test])
    timed = (events.split < TEST) & (events.time != NO_TIME)
    after_own_test = timed & (events.time > first[events.user])
    first_overall = first.min() if test.any() else np.iinfo(np.int64).max
    after_any_test = timed & (events.time > first_overall)
    owner = impressions.user[impressions.time != NO_TIME]
    late_entries, history_lengths = _late_history_entries(corpus, impressions.time != NO_TIME)
    return [
        AuditCheck(
            "events after the user's first test impression",
            int(after_own_test.sum()),
            int(timed.sum()),
            OK if not after_own_test.any() else LOOK,
            "of train and valid: training must not use the future of a user",
            _users(after_own_test[timed], events.user[timed]),
        ),
        AuditCheck(
            "events after the first test impression of anyone",
            int(after_any_test.sum()),
            int(timed.sum()),
            "" if after_any_test.any() else OK,
            "of train and valid: none if the split uses one time for all users; with a split per user, training sees "
            "trends of the test period, which favours scorers that count popularity",
            _users(after_any_test[timed], events.user[timed]),
        ),
        AuditCheck(
            "history entries not before their impression",
            int(late_entries.sum()),
            int(history_lengths.sum()),
            OK if not late_entries.any() else LOOK,
            "a history must end strictly before the impression that it predicts",
            _users(late_entries > 0, owner),
        ),
    ]


def _late_history_entries(corpus: Corpus, timed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count the history entries at or after the time of their impression, and all entries; int64 [impressions] each."""
    events, impressions = corpus.timelines, corpus.impressions
    numbers = np.flatnonzero(timed)
    late = np.zeros(len(numbers), dtype=np.int64)
    for start in range(0, len(numbers), 1 << 14):
        part = numbers[start : start + (1 << 14)]
        offsets, entry = ragged.ranges(impressions.history_start[part], impressions.history_end[part])
        after = events.time[entry] >= ragged.repeat(offsets, impressions.time[part])
        late[start : start + len(part)] = np.bincount(ragged.owner(offsets)[after], minlength=len(part))
    return late, impressions.history_end[numbers] - impressions.history_start[numbers]
