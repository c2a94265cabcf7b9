"""Events of histories in words: the title of the item, the kind and value of the event, and how long ago it was."""

import numpy as np

from interestrec.answering.asked import Asked
from interestrec.answering.recommender import Recommender
from interestrec.corpus.store import NO_TIME

_MINUTE, _HOUR, _DAY = 60_000_000, 3_600_000_000, 86_400_000_000  # microseconds
# The longest age that is told in a unit, in microseconds; the unit, in microseconds; its name.
_UNITS = ((2 * _HOUR, _MINUTE, "minute"), (2 * _DAY, _HOUR, "hour"), (60 * _DAY, _DAY, "day"))
_MONTH = 30 * _DAY
_TITLE = 48  # characters


def title_of(recommender: Recommender, item: int) -> str:
    """Return the title of an item, shortened, or its id if it has none."""
    title = recommender.log.items["title"][item].as_py().strip() or recommender.log.items["item_id"][item].as_py()
    return title if len(title) <= _TITLE else f"{title[: _TITLE - 3].rstrip()}..."


def event_phrase(recommender: Recommender, asked: Asked, entry: int) -> str:
    """Return an event in words, such as `"Star Wars (1977)" (rating 5, 2 days before)`.

    Args:
        entry: position among the history entries of the requests.
    """
    requests = asked.requests
    code = int(asked.kind[entry])
    kind = recommender.grades.kinds[code] if code >= 0 else ""
    value = np.nan if asked.value is None else asked.value[entry]
    words = [" ".join(filter(None, [kind, "" if np.isnan(value) else f"{value:g}"]))]
    request = int(np.searchsorted(requests.offsets, entry, side="right")) - 1
    at, time = int(requests.at[request]), int(requests.time[entry])
    if NO_TIME not in (at, time):
        words.append(f"{age_phrase(at - time)} before")
    told = ", ".join(filter(None, words))
    return f'"{title_of(recommender, int(requests.item[entry]))}"' + (f" ({told})" if told else "")


def age_phrase(age: int) -> str:
    """Return a length of time, in microseconds, in the unit that reads best, such as `3 days`."""
    if age < _MINUTE:
        return "less than a minute"
    unit, name = next(((unit, name) for most, unit, name in _UNITS if age < most), (_MONTH, "month"))
    count = max(age // unit, 0)
    return f"{count} {name}{'' if count == 1 else 's'}"
