"""The `preprocess` section: cleaning, split and intensity."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import field_validator, model_validator

from interestrec.core.section import BelowOne, Count, Fraction, OpenFraction, Positive, Section
from interestrec.corpus.combine import COMBINATIONS
from interestrec.corpus.split import SPLIT_METHODS, windows_refusal
from interestrec.corpus.value_maps import MAPS
from interestrec.io.keys import KeySource

if TYPE_CHECKING:
    SplitName = str
    MapName = str
    CombinationName = str
else:
    SplitName, MapName, CombinationName = Literal[*SPLIT_METHODS], Literal[*MAPS], Literal["none", *COMBINATIONS]


class SplitSettings(Section):
    """How events are divided into train, valid and test, before anything is fitted."""

    method: SplitName = "global_time"
    """How the split is made: `given` by the files of `data`; `global_time` the last events of all; `user_time` the last
    share of each user's; `user_random` a random share of each user's; `leave_last` the last `k` of each user; `none`
    all is train, for production, with the choices of `verified`."""
    valid: OpenFraction = 0.1
    """Share of the events for valid, on which settings are chosen. Too few users there make choices unsure."""
    test: BelowOne = 0.2
    """Share of the events for test, which is only evaluated. A share of a user's events is rounded up or down at
    random, so that it holds on average for short histories too. 0, with `method: global_time`, leaves none: for
    decisions of `rank --as-of`."""
    k: Count = 1
    """With `method: leave_last`: the last `k` events of each user are test and the `k` before them valid; users with
    fewer than 2 `k` + 1 events stay in train and are counted."""
    window: Count = 1
    """Test window, counted back from the end: 1 is the last; window n is the same split of the log without the test
    events of window n - 1. For `global_time`, `user_time` and `leave_last`; `run --windows` runs several."""
    valid_from: str | None = None
    """With `method: given` and no valid files: train rows at or after this time, such as `2019-11-14`, are valid.
    `null` = the last `valid` share of train."""
    verified: Path | None = None
    """With `method: none`: workspace of a run with a valid split whose report was read; its choices are reused."""

    @model_validator(mode="after")
    def _consistent(self) -> "SplitSettings":
        if self.valid + self.test >= 1:
            raise ValueError("valid + test must be less than 1; lower one of them")
        if self.test == 0 and (self.method != "global_time" or self.window > 1):
            raise ValueError("test: 0 belongs to method: global_time and window: 1; give a share above 0")
        default = type(self).model_fields
        if self.k != default["k"].default and self.method != "leave_last":
            raise ValueError(f"k belongs to method: leave_last, not to {self.method}")
        for name in ("valid", "test") if self.method == "leave_last" else ():
            if getattr(self, name) != default[name].default:
                raise ValueError(f"{name} is a share, and method: leave_last takes k events; remove {name} or set k")
        if self.window > 1 and (refusal := windows_refusal(self.method)):
            raise ValueError(f"window: {refusal}")
        if self.valid_from is not None and self.method != "given":
            raise ValueError("valid_from belongs to method: given; remove it or set that method")
        if self.method == "none" and self.verified is None:
            raise ValueError("method: none holds no data out; set verified to the workspace of a run that did")
        if self.method != "none" and self.verified is not None:
            raise ValueError(f"verified belongs to method: none, not to {self.method}")
        return self


class ValueMapSettings(Section):
    """How a measured value (stars, seconds, hours) grades an event: a map to [0, 1], fitted on train.

    `linear`: `low` becomes 0 and `high` becomes 1, a value outside is a bad row. `log`: log(1 + v) / log(1 + high),
    1 above; without `high` the 99 % quantile of train. `quantile`: the share of train values below. `threshold`: the
    share of `thresholds` that the value reaches.
    """

    map: MapName
    """Kind of map: `linear` from `low` to `high`; `log` damps large values; `quantile` is the share of train values
    below; `threshold` is the share of `thresholds` that the value reaches."""
    low: float | None = None
    """Value that `linear` maps to 0; a smaller one is a malformed row."""
    high: float | None = None
    """Value that becomes 1. With `linear` a larger one is a malformed row, with `log` it is 1 as well; `log` without it
    takes the 99 % quantile of train."""
    thresholds: list[float] = []
    """Rising values for `threshold`: with three of them, a value that reaches two is mapped to 2/3."""
    per_words: bool = False
    """With `true` the value is divided by hundreds of words of the item first, so that reading times of long and short
    texts compare."""
    missing: Fraction | None = None
    """Number in [0, 1] that a missing value is mapped to; `null` = a missing value is a malformed row."""

    @model_validator(mode="after")
    def _complete(self) -> "ValueMapSettings":
        if self.map == "linear" and (self.low is None or self.high is None or self.low >= self.high):
            raise ValueError("map: linear needs low and high; set both, low below high")
        if self.map != "linear" and self.low is not None:
            raise ValueError(f"low belongs to linear, not to {self.map}")
        if self.map in ("quantile", "threshold") and self.high is not None:
            raise ValueError(f"high belongs to linear and log, not to {self.map}")
        if self.map == "log" and self.high is not None and self.high <= 0:
            raise ValueError("high must be above 0")
        if (self.map == "threshold") != bool(self.thresholds):
            raise ValueError("thresholds belong to map: threshold, which needs at least one")
        if sorted(set(self.thresholds)) != self.thresholds:
            raise ValueError("thresholds must rise; list them in ascending order without repetitions")
        return self


class IntensitySettings(Section):
    """Intensity of an event: weight of its type × mapped value × decay; then events of a user and item are combined."""

    weights: dict[str, Fraction] = {}
    """Weight in [0, 1] of each event type, such as `{view: 0.2, purchase: 1.0}`. When empty all weigh 1; otherwise
    every type must be listed."""
    values: dict[str, ValueMapSettings] = {}
    """Map of the measured value to [0, 1], by event type; without one the value does not count."""
    negative: dict[str, Literal["zero", "withdraw"]] = {}
    """Event types that say no: `zero` gives intensity 0 (not interested), `withdraw` takes back the latest earlier
    event of the user and item (a cancellation)."""
    combine: CombinationName = "none"
    """How events of one user and item in one split become one: `none` keeps them apart, `max` strongest, `sum` up to 1,
    `last` latest, `noisy_or` 1 - (1 - a)(1 - b) and so on: repetition counts, less each time."""
    half_life_days: Positive | None = None
    """Days after which a train event counts half, by its age at the end of train. Shorter follows changing taste
    faster; `null` = events do not fade."""

    @model_validator(mode="after")
    def _check_negative(self) -> "IntensitySettings":
        for kind in self.negative:
            if kind in self.weights or kind in self.values:
                raise ValueError(f"{kind} is listed under negative, so it has neither weight nor map; remove them")
        return self


class RobotSettings(Section):
    """Users taken for robots by their train events; all their events are left out. Give one key or both."""

    a_minute: Count | None = None
    """Most train events of a person within one clock minute; users with more are robots. `null` = no such rule."""
    spread: Positive | None = None
    """Users whose log(1 + events) exceeds `Q3 + spread * (Q3 - Q1)` are robots. Larger keeps more users; 3 leaves out
    extreme ones only. `null` = no such rule."""

    @model_validator(mode="after")
    def _check_rules(self) -> "RobotSettings":
        if self.a_minute is None and self.spread is None:
            raise ValueError("give a_minute, spread or both")
        return self


class KCoreSettings(Section):
    """Fewest train events of a user and of an item, repeated until nothing more goes. Event logs only."""

    users: Count = 1
    """Fewest train events of a user who is kept; 1 keeps all."""
    items: Count = 1
    """Fewest train events of an item that is kept; 1 keeps all."""


class PreprocessSettings(Section):
    """How raw logs become a corpus: cleaning, split and intensity."""

    pseudonym_key: KeySource | None = None
    """File of the key (mode 0600, at least 32 bytes), or `fd:N` for an open descriptor, under which user ids become
    pseudonyms; `null` = ids stay as they are."""
    since: datetime | None = None
    """Events and impressions before this time, such as `2026-11-14`, are left out; UTC without a zone. `null` = none
    are."""
    until: datetime | None = None
    """Events and impressions at or after this time are left out, with the items that were first seen then: the log as
    it was. `null` = none are."""
    duplicates: Literal["drop", "keep"] = "drop"
    """What happens to events equal in user, item, time, type and value: `drop` keeps the first, `keep` keeps all."""
    near_duplicate_items: Literal["keep", "merge"] = "keep"
    """What happens to items whose title and text have the same words: `keep` them apart, or `merge` them into one."""
    burst_seconds: Positive | None = None
    """Events of one user, item and type less than this many seconds after the previous one are left out, as double
    clicks; `null` = all stay."""
    robots: RobotSettings | None = None
    """Rules by which users are taken for robots; `null` = none."""
    k_core: KCoreSettings | None = None
    """Fewest events per user and item; `null` = no such filter."""
    boilerplate: OpenFraction | None = None
    """Sentences (four words or more) that stand in more than this share of the items' texts are removed, such as a
    publisher's footer; `null` = none is."""
    split: SplitSettings = SplitSettings()
    """How events are divided into train, valid and test."""
    intensity: IntensitySettings = IntensitySettings()
    """How an event becomes a number in [0, 1]."""

    @field_validator("since", "until")
    @classmethod
    def _in_utc(cls, moment: datetime | None) -> datetime | None:
        """Return the moment in UTC, so that one time has one text in recipes."""
        if moment is None:
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)

    @model_validator(mode="after")
    def _check_period(self) -> "PreprocessSettings":
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise ValueError("since must be earlier than until")
        return self
