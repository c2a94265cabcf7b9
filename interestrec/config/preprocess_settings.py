"""The `preprocess` section: cleaning, split and intensity."""

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from interestrec.core.section import Count, Fraction, OpenFraction, Positive, Section
from interestrec.io.keys import KeySource


class SplitSettings(Section):
    # none: all is train, for production; what valid would choose is taken from a verified run
    method: Literal["given", "global_time", "user_time", "user_random", "none"] = "global_time"
    valid: OpenFraction = 0.1
    test: OpenFraction = 0.2
    valid_from: str | None = None  # `given` without valid files: train rows at or after this time are valid
    verified: Path | None = None  # `none`: workspace of a run with a valid split whose quality was looked at

    @model_validator(mode="after")
    def _consistent(self) -> "SplitSettings":
        if self.valid + self.test >= 1:
            raise ValueError("valid + test must leave something to train on")
        if self.valid_from is not None and self.method != "given":
            raise ValueError("valid_from belongs to method: given")
        if self.method == "none" and self.verified is None:
            raise ValueError("method: none holds nothing out; give verified, the workspace of a run that did")
        if self.method != "none" and self.verified is not None:
            raise ValueError(f"verified belongs to method: none, not to {self.method}")
        return self


class ValueMapSettings(Section):
    """How a measured value (stars, seconds, hours) grades an event: a map to [0, 1], fitted on train.

    `linear`: `low` becomes 0 and `high` becomes 1, a value outside is a bad row. `log`: log(1 + v) / log(1 + high),
    1 above; without `high` the 99 % quantile of train. `quantile`: the share of train values below. `threshold`: the
    share of `thresholds` that the value reaches.
    """

    map: Literal["linear", "log", "quantile", "threshold"]
    low: float | None = None
    high: float | None = None
    thresholds: list[float] = []
    per_words: bool = False  # the value is divided by hundreds of words of the item first: seconds of reading
    missing: Fraction | None = None  # what a missing value becomes; None = it is a bad row

    @model_validator(mode="after")
    def _complete(self) -> "ValueMapSettings":
        if self.map == "linear" and (self.low is None or self.high is None or self.low >= self.high):
            raise ValueError("linear needs low and high, low below high")
        if self.map != "linear" and self.low is not None:
            raise ValueError(f"low belongs to linear, not to {self.map}")
        if self.map in ("quantile", "threshold") and self.high is not None:
            raise ValueError(f"high belongs to linear and log, not to {self.map}")
        if self.map == "log" and self.high is not None and self.high <= 0:
            raise ValueError("high must be above 0")
        if (self.map == "threshold") != bool(self.thresholds):
            raise ValueError("thresholds belong to map: threshold, which needs at least one")
        if sorted(set(self.thresholds)) != self.thresholds:
            raise ValueError("thresholds must rise")
        return self


class IntensitySettings(Section):
    """Intensity of an event = weight of its type × mapped value × decay, then events of a pair are combined."""

    weights: dict[str, Fraction] = {}  # event type -> weight; all 1 when empty, else every type must be listed
    values: dict[str, ValueMapSettings] = {}  # event type -> map of its value; without one the value does not count
    # event type -> `zero`: not interested, intensity 0; `withdraw`: takes back the latest earlier event of the pair
    negative: dict[str, Literal["zero", "withdraw"]] = {}
    combine: Literal["none", "max", "sum", "last", "noisy_or"] = "none"  # events of one user and item in one split
    half_life_days: Positive | None = None  # train events fade with their age at the end of train

    @model_validator(mode="after")
    def _one_meaning(self) -> "IntensitySettings":
        for kind in self.negative:
            if kind in self.weights or kind in self.values:
                raise ValueError(f"{kind} is negative: it takes neither a weight nor a map")
        return self


class RobotSettings(Section):
    """Users that no person is, told by their train events."""

    a_minute: Count | None = None  # most events within one minute
    spread: Positive | None = None  # volume above Q3 + spread × (Q3 - Q1) of log(1 + events)

    @model_validator(mode="after")
    def _one_rule(self) -> "RobotSettings":
        if self.a_minute is None and self.spread is None:
            raise ValueError("give a_minute, spread or both")
        return self


class KCoreSettings(Section):
    """Fewest train events of a user and of an item; repeated until nothing more goes."""

    users: Count = 1
    items: Count = 1


class PreprocessSettings(Section):
    pseudonym_key: KeySource | None = None  # file of the key (or fd:N) under which user ids become pseudonyms
    duplicates: Literal["drop", "keep"] = "drop"  # events equal in user, item, time, type and value
    near_duplicate_items: Literal["keep", "merge"] = "keep"  # items whose title and text have the same words
    burst_seconds: Positive | None = None  # double clicks: same user, item and type less than this apart
    robots: RobotSettings | None = None
    k_core: KCoreSettings | None = None
    boilerplate: OpenFraction | None = None  # sentences in more than this share of the texts are taken out
    split: SplitSettings = SplitSettings()
    intensity: IntensitySettings = IntensitySettings()
