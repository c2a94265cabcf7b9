"""The budget of a search: trials or time, equal for every system."""

import re
from dataclasses import dataclass

from interestrec.core.errors import UsageError
from interestrec.learning.halving import TrialState

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class Budget:
    """The most trials of a system, or the most seconds of measurements; one of them is None."""

    trials: int | None = None
    seconds: float | None = None

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """Read a text such as `60trials`, `90m` or `2h`.

        Raises:
            UsageError: it is none of these.
        """
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(trials?|[smhd])", text.strip())
        if found is None or float(found[1]) == 0 or ("t" in found[2] and "." in found[1]):
            raise UsageError(f"--budget {text}: expected trials per system, or the time of all, such as 60trials or 2h")
        if "t" in found[2]:
            return cls(trials=int(found[1]))
        return cls(seconds=float(found[1]) * _SECONDS[found[2]])

    def per_system(self, systems: int) -> "Budget":
        """Return the budget of each of so many systems: trials are meant per system, time for all together."""
        return self if self.seconds is None else Budget(seconds=self.seconds / systems)

    def is_spent(self, trials: list[TrialState]) -> bool:
        """Return whether no further trial may begin."""
        if self.trials is not None:
            return len(trials) >= self.trials
        assert self.seconds is not None
        return sum(trial.seconds for trial in trials) >= self.seconds

    def begun_together(self, trials: int, size: int) -> int:
        """Return how many trials there are when the bracket of the last of so many trials has all that belong to it."""
        whole = -(-trials // size) * size
        return whole if self.trials is None else min(whole, self.trials)

    def ends_beginnings(self, trials: list[TrialState]) -> bool:
        """Return whether trials that were proposed and not measured are to be left out, because the time is over."""
        return self.seconds is not None and self.is_spent(trials)

    def __str__(self) -> str:
        if self.seconds is not None:
            return f"{self.seconds:g} s"
        return f"{self.trials} trial{'' if self.trials == 1 else 's'}"
