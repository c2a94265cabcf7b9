"""Counts of what the rules of cleaning leave out: the content of `quality.json`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from interestrec.core.errors import InterestrecError, with_value

EXAMPLES = 3  # shown of the rows that a rule leaves out
_LONGEST = 300  # characters of a raw value that are shown


def one_line(value: str) -> str:
    """A raw value as part of a message: it may be long and have ends of line."""
    text = " ".join(value.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}"


@dataclass
class QualityLog:
    """Every cleaning rule with its counts, and the one place that decides whether raw values are quoted."""

    root: Path = Path()  # left out of the examples: where the data is says nothing about what it is
    quotes: bool = True  # whether messages and examples may show what stands in the files, and not only where
    rules: list[dict[str, Any]] = field(default_factory=list)

    def count(
        self,
        rule: str,
        rows_in: int,
        rows_out: int,
        reason: str,
        examples: Sequence[str] = (),
        places: Sequence[str] = (),
    ) -> None:
        """Record a rule; rules that changed nothing are recorded too.

        Counts of one rule and reason add up, as when a file is read in blocks.

        Args:
            examples: what was left out.
            places: `file:row` of what was left out, instead.
        """
        shown = [place.removeprefix(f"{self.root}/") for place in [*(examples if self.quotes else ()), *places]]
        entry = next((e for e in self.rules if (e["rule"], e["reason"]) == (rule, reason)), None)
        if entry is None:
            entry = {"rule": rule, "rows_in": 0, "rows_out": 0, "reason": reason, "examples": []}
            self.rules.append(entry)
        entry["rows_in"] += rows_in
        entry["rows_out"] += rows_out
        entry["examples"] = [*entry["examples"], *shown][:EXAMPLES]

    def sentence(self, reason: str, value: str | None) -> str:
        """A reason with its raw value, or without it where nothing may be quoted."""
        return with_value(reason, one_line(value) if self.quotes and value is not None else None)

    @contextmanager
    def withheld_values(self) -> Iterator[None]:
        """Errors raised within leave this context without raw values where nothing may be quoted.

        Any other exception is a fault of the program: it keeps its traceback and loses its message.
        """
        try:
            yield
        except InterestrecError as error:
            if self.quotes:
                raise
            raise error.without_value() from None
        except Exception as error:
            if self.quotes:
                raise
            fault = RuntimeError(f"{type(error).__name__}; its message may quote raw data and is left out")
            raise fault.with_traceback(error.__traceback__) from None
