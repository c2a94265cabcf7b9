"""Histories that come with a request: the notation ITEM[:KIND[=VALUE]][@TIME], graded as the log of a decision is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core.choices import suggestion
from interestrec.core.errors import DataError
from interestrec.corpus.store import NO_TIME, Corpus
from interestrec.io import artifact_files, files

_MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class GivenEvents:
    """Events of one person in the order of time, with the codes of their kinds."""

    item: np.ndarray  # int32 [events]
    intensity: np.ndarray  # float32 [events]
    time: np.ndarray  # int64 [events], microseconds, NO_TIME if the log has no times
    kind: np.ndarray  # int16 [events], position in `EventGrades.kinds`, −1 without a kind
    value: np.ndarray  # float64 [events], NaN without a value

    def followed_by(self, later: "GivenEvents") -> "GivenEvents":
        """Return these events and then others, none of which counts as earlier than these."""
        columns = {
            name: np.concatenate([getattr(self, name), getattr(later, name)])
            for name in ("item", "intensity", "time", "kind", "value")
        }
        return GivenEvents(**{**columns, "time": np.maximum.accumulate(columns["time"])})


class EventGrades:
    """Intensities of events by kind and value, read off the events of a log."""

    def __init__(self, log: Corpus) -> None:
        self.log = log
        self._events = files.read_parquet(log.path / artifact_files.TIMELINES, columns=["event", "value", "intensity"])

    @cached_property
    def kinds(self) -> list[str]:
        """Kinds of the log, in alphabetical order."""
        return sorted(pc.unique(self._events["event"].cast(pa.string())).to_pylist())

    @cached_property
    def kind_of_event(self) -> np.ndarray:
        """int16 [events]: the kind of each row of the timelines, a position in `kinds`."""
        codes = pc.index_in(self._events["event"].cast(pa.string()), pa.array(self.kinds, pa.string()))
        return codes.to_numpy().astype(np.int16)

    @cached_property
    def value_of_event(self) -> np.ndarray:
        """float64 [events]: the value of each row of the timelines, NaN without one."""
        return self._events["value"].to_numpy()

    @cached_property
    def _of_kind(self) -> Mapping[str, tuple[np.ndarray, np.ndarray, float]]:
        """By kind: values, ascending, their median intensities, and the median intensity of all events."""
        value = self.value_of_event
        intensity = self._events["intensity"].to_numpy()
        found = {}
        for code, kind in enumerate(self.kinds):
            of_kind = self.kind_of_event == code
            rows = of_kind & ~np.isnan(value)
            values, group, count = np.unique(value[rows], return_inverse=True, return_counts=True)
            graded = intensity[rows][np.lexsort((intensity[rows], group))]
            start = np.cumsum(count) - count
            medians = (graded[start + (count - 1) // 2] + graded[start + count // 2]) / 2
            found[kind] = (values, medians, float(np.median(intensity[of_kind])))
        return found

    def intensity(self, kind: str | None, value: float | None) -> float:
        """Return the intensity of an event: 1 without a kind, and without a value the median of the kind.

        Intensities of values between those of the log are interpolated.
        """
        if kind is None:
            return 1.0
        values, medians, middle = self._of_kind[kind]
        if value is None or not len(values):
            return middle
        return float(np.interp(value, values, medians))


class GivenEventReader:
    """Reads histories in the notation, against the items and kinds of a log.

    An id may contain the marks of the notation: a text that is the id of an item as it stands is that item, without
    kind and time.
    """

    def __init__(self, grades: EventGrades, item_row: Mapping[str, int], timed: bool) -> None:
        """
        Args:
            item_row: row of each item by id.
            timed: whether events of the log have times.
        """
        self.grades = grades
        self.item_row = item_row
        self.timed = timed

    def read(self, texts: Sequence[str], at: int, where: str, left_out: list[str] | None = None) -> GivenEvents:
        """Read the events of one person.

        Events without a time happened just before the request, in the order given.

        Args:
            texts: one event each.
            at: microseconds, the time of the request.
            where: names the history in messages.
            left_out: takes the items that are unknown, whose events are left out; None: they are errors.

        Raises:
            DataError: an item or a kind is unknown, or a time is not before the request.
        """
        texts = [text.strip() for text in texts if text.strip()]
        if left_out is not None:
            unknown = {text: name for text in texts if (name := self._unknown_item(text)) is not None}
            left_out += unknown.values()
            texts = [text for text in texts if text not in unknown]
        events = [self._event(text, where) for text in texts]
        n = len(events)
        item = np.array([event[0] for event in events], np.int32)
        intensity = np.array([self.grades.intensity(kind, value) for _, kind, value, _ in events], np.float32)
        codes = {kind: code for code, kind in enumerate(self.grades.kinds)}
        kind = np.array([-1 if name is None else codes[name] for _, name, _, _ in events], np.int16)
        value = np.array([np.nan if amount is None else amount for _, _, amount, _ in events], np.float64)
        if not self.timed:
            return GivenEvents(item, intensity, np.full(n, NO_TIME), kind, value)
        time = np.array([at - n + place if when is None else when for place, (*_, when) in enumerate(events)], np.int64)
        if n and time.max() >= at:
            late = texts[int(time.argmax())]
            raise DataError(f"{where}: the event '{late}' is not before the request; ask with a later --as-of")
        order = np.argsort(time, kind="stable")
        return GivenEvents(item[order], intensity[order], time[order], kind[order], value[order])

    def _unknown_item(self, text: str) -> str | None:
        """Return the item of an event that the log does not know, None if it does."""
        rest = _split_time(text)[0]
        name, mark, kind_text = rest.rpartition(":")
        if text in self.item_row or rest in self.item_row or (mark and name in self.item_row):
            return None
        return name if mark and kind_text.partition("=")[0] in self.grades.kinds else rest

    def _event(self, text: str, where: str) -> tuple[int, str | None, float | None, int | None]:
        """Return item, kind, value and time of an event."""
        if text in self.item_row:
            return self.item_row[text], None, None, None
        rest, time = _split_time(text)
        if rest in self.item_row:
            return self.item_row[rest], None, None, time
        name, mark, kind_text = rest.rpartition(":")
        if not mark or name not in self.item_row:
            unknown = self._unknown_item(text)
            near = suggestion(str(unknown), self.item_row)
            raise DataError(
                f"{where}: no item '{unknown}' in the decision{near}; events are ITEM[:KIND[=VALUE]][@TIME]"
            )
        kind, has_value, value = kind_text.partition("=")
        if kind not in self.grades.kinds:
            choices = ", ".join(self.grades.kinds)
            raise DataError(f"{where}: '{text}' has the unknown kind '{kind}'; the kinds of the log are: {choices}")
        try:
            return self.item_row[name], kind, float(value) if has_value else None, time
        except ValueError:
            raise DataError(f"{where}: '{text}' has the value '{value}', which is not a number") from None


def _split_time(text: str) -> tuple[str, int | None]:
    """Return the part before the last @ and the time after it, in microseconds; the text and None without a time."""
    rest, mark, time = text.rpartition("@")
    if not mark:
        return text, None
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return text, None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return rest, round(moment.timestamp() * _MICROSECONDS)
