"""Whether the test split could have leaked into training: counts that an auditor asks for, each with what it means."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from interestrec.core import ragged
from interestrec.corpus.store import NO_TIME, Corpus
from interestrec.io.schemas import TEST

OK, LOOK = "ok", "look"
_STANDARD_ERRORS = 4.0  # from chance, of permuted labels


@dataclass(frozen=True)
class AuditCheck:
    """One count and what it says."""

    check: str
    count: int | None  # None: of too few users to be told
    of: int | None
    verdict: str  # "ok", "look" where something is wrong, or "" where it only says what kind of test this is
    meaning: str
    users: tuple[int, int] = (0, 0)  # behind the count, and behind the others

    @property
    def share(self) -> float | None:
        """Of all; None of nothing."""
        return self.count / self.of if self.of and self.count is not None else None

    @property
    def values(self) -> dict[str, Any]:
        """For a JSON file."""
        return {name: getattr(self, name) for name in ("check", "count", "of", "verdict", "meaning", "share")}

    def told(self, least: int) -> "AuditCheck":
        """Without its numbers where these, or those of the others, are of fewer users than `least`; the verdict stays,
        for nobody may overlook a leak because it is of few."""
        if any(0 < users < least for users in self.users):
            return replace(self, count=None, of=None)
        return self


def audit_leaks(corpus: Corpus) -> list[AuditCheck]:
    """What of the test split was known before, and whether anything known lies after it."""
    return [*_known(corpus), *_order(corpus)]


def permute_labels(values: np.ndarray) -> AuditCheck | None:
    """Whether labels permuted within their lists are ranked by chance, as they must be.

    Args:
        values: float64 [lists], the `auc` of each list with its labels permuted, NaN where there is one class.

    Returns:
        The check, its count the lists; None without any.
    """
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return None
    mean, error = float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
    fine = abs(mean - 0.5) <= _STANDARD_ERRORS * max(error, 1e-9)
    return AuditCheck(
        "permuted labels",
        len(values),
        len(values),
        OK if fine else LOOK,
        f"with test labels permuted within their lists the auc is {mean:.4f} (standard error {error:.4f}); chance is "
        "0.5, and anything else would mean that the evaluator looks at more than scores",
    )


def _known(corpus: Corpus) -> list[AuditCheck]:
    rows, shown = corpus.timelines, corpus.impressions
    early = rows.split < TEST
    before = early & corpus.relevant(rows.intensity)
    test = np.flatnonzero(ragged.repeat(shown.offsets, shown.split == TEST) & corpus.relevant(shown.label))
    item, user = shown.item[test], ragged.repeat(shown.offsets, shown.user)[test]
    items, liked = _marked(item, corpus.items.num_rows), _marked(rows.item[before], corpus.items.num_rows)
    asking, active = (
        _marked(chosen, corpus.users.num_rows) for chosen in (shown.user[shown.split == TEST], rows.user[early])
    )
    n_items = corpus.items.num_rows
    pairs = np.unique(user.astype(np.int64) * n_items + item)
    owners = pairs // n_items
    able = before & asking[rows.user] & items[rows.item]
    had = rows.user[able].astype(np.int64) * n_items + rows.item[able]
    place = np.minimum(np.searchsorted(pairs, had), max(len(pairs) - 1, 0))
    repeated = _marked(place[pairs[place] == had], len(pairs)) if len(pairs) else np.zeros(0, dtype=bool)
    return [
        AuditCheck(
            "relevant test items known",
            int((items & liked).sum()),
            int(items.sum()),
            "",
            "have a relevant event in train or valid; the others are cold, and only their attributes tell of them",
            _users(liked[item], user),
        ),
        AuditCheck(
            "test users known",
            int((asking & active).sum()),
            int(asking.sum()),
            "",
            "have an event in train or valid; of the others only the request's history tells",
            (int((asking & active).sum()), int((asking & ~active).sum())),
        ),
        AuditCheck(
            "relevant test pairs known",
            int(repeated.sum()),
            len(pairs),
            "",
            "of a user and an item happened in train or valid already: repeats, which lists leave out where rank.rules."
            "seen is out",
            _users(repeated, owners),
        ),
    ]


def _users(counted: np.ndarray, user: np.ndarray) -> tuple[int, int]:
    """Distinct users of the rows that count, and of the others."""
    return len(np.unique(user[counted])), len(np.unique(user[~counted]))


def _marked(numbers: np.ndarray, size: int) -> np.ndarray:
    """bool [size]: which numbers occur."""
    found = np.zeros(size, dtype=bool)
    found[numbers] = True
    return found


def _order(corpus: Corpus) -> list[AuditCheck]:
    rows, shown = corpus.timelines, corpus.impressions
    test = (shown.split == TEST) & (shown.time != NO_TIME)
    first = np.full(corpus.users.num_rows, np.iinfo(np.int64).max)
    np.minimum.at(first, shown.user[test], shown.time[test])
    timed = (rows.split < TEST) & (rows.time != NO_TIME)
    own = timed & (rows.time > first[rows.user])
    overall = first.min() if test.any() else np.iinfo(np.int64).max
    late = timed & (rows.time > overall)
    owner = shown.user[shown.time != NO_TIME]
    entries, sizes = _after(corpus, shown.time != NO_TIME)
    return [
        AuditCheck(
            "events after the user's first test impression",
            int(own.sum()),
            int(timed.sum()),
            OK if not own.any() else LOOK,
            "of train and valid: a user's own future must not be known",
            _users(own[timed], rows.user[timed]),
        ),
        AuditCheck(
            "events after the first test impression of anyone",
            int(late.sum()),
            int(timed.sum()),
            "" if late.any() else OK,
            "of train and valid: none when the split is by one time for all; with a split by user, trends of the test "
            "time are known, which flatters whatever counts popularity",
            _users(late[timed], rows.user[timed]),
        ),
        AuditCheck(
            "history entries not before their impression",
            int(entries.sum()),
            int(sizes.sum()),
            OK if not entries.any() else LOOK,
            "a history must end strictly before what it predicts",
            _users(entries > 0, owner),
        ),
    ]


def _after(corpus: Corpus, timed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """History entries at or after the time of their impression, and all of them: int64 [timed impressions] each."""
    rows, shown = corpus.timelines, corpus.impressions
    chosen = np.flatnonzero(timed)
    late = np.zeros(len(chosen), dtype=np.int64)
    for start in range(0, len(chosen), 1 << 14):
        part = chosen[start : start + (1 << 14)]
        offsets, entry = ragged.ranges(shown.history_start[part], shown.history_end[part])
        after = rows.time[entry] >= ragged.repeat(offsets, shown.time[part])
        late[start : start + len(part)] = np.bincount(ragged.owner(offsets)[after], minlength=len(part))
    return late, shown.history_end[chosen] - shown.history_start[chosen]
