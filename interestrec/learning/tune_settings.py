"""The `tune` section of the configuration: what is searched, and how."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from interestrec.core.section import Count, Section


class DimensionSettings(Section):
    """What one key may be: numbers from `low` to `high`, or one of `values`."""

    low: int | float | None = None
    """Smallest number; with `low` and `high` both whole, only whole numbers are tried."""
    high: int | float | None = None
    """Largest number."""
    log: bool = False
    """Whether small and large numbers are tried alike, as many between 1 and 10 as between 10 and 100."""
    values: list[bool | int | float | str | None] | None = None
    """The values that are tried, without an order."""

    @model_validator(mode="after")
    def _one_kind(self) -> "DimensionSettings":
        if self.values is not None:
            if self.low is not None or self.high is not None or self.log:
                raise ValueError("values stand alone; remove low, high and log")
            if len(set(map(repr, self.values))) != len(self.values) or not self.values:
                raise ValueError("values must name at least one, none twice")
            return self
        if self.low is None or self.high is None:
            raise ValueError("set low and high, or values")
        if self.low >= self.high:
            raise ValueError("low must be less than high")
        if self.log and self.low <= 0:
            raise ValueError("log needs a low above 0")
        return self


class TuneSettings(Section):
    """What `tune` searches and how; its budget is an option of the command."""

    systems: Literal["ours", "all"] = "ours"
    """Whose settings are searched, with an equal budget for each: `ours` = the model and the scorers of
    `rank.components` and `rank.estimators`; `all` = the baselines of `rank.systems` too."""
    sampler: Literal["tpe", "cma_es", "random"] = "tpe"
    """Where the next settings come from: `tpe` = where good trials were denser than bad ones; `cma_es` = a normal
    distribution that follows the good ones, which suits many numbers and no names; `random` = anywhere."""
    bracket: Annotated[int, Field(ge=2)] = 9
    """Trials that begin together; the next ones learn from them. More can run beside each other, fewer learn sooner."""
    reduction: Annotated[int, Field(ge=2)] = 3
    """Successive halving: of the trials on one rung, one in this many goes on to the next, which is as many times as
    long; the others end."""
    first_rung: Count = 1
    """Epochs of the first rung of trainings."""
    space: dict[str, DimensionSettings | None] = {}
    """Narrower or wider dimensions by dotted key, such as `finetune.learning_rate: {low: 1.0e-4, high: 1.0e-2, log:
    true}`; `null` leaves a key as configured. Without an entry, the section's own space is searched."""
