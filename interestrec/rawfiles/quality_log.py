"""Counts of the rows that each cleaning rule leaves out: the content of `quality.json`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from interestrec.core.errors import InterestrecError, with_value

EXAMPLES = 3  # number of examples per cleaning rule
_MAX_CHARACTERS = 300  # of a raw value in a message


def one_line(value: str) -> str:
    """Return a raw value on one line and shortened, so that it can stand in a message."""
    text = " ".join(value.split())
    half = _MAX_CHARACTERS // 2
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:half]} … {text[-half:]}"


@dataclass
class QualityLog:
    """The counts of every cleaning rule; the log also decides whether messages may quote raw values."""

    root: Path = Path()  # removed from the paths in examples, so that they do not depend on where the data is
    quotes: bool = True  # whether messages and examples may quote raw values; else they give file and row only
    rules: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)  # sentences on what is read, but probably not as it was meant

    def count(
        self,
        rule: str,
        rows_in: int,
        rows_out: int,
        reason: str,
        examples: Sequence[str] = (),
        places: Sequence[str] = (),
    ) -> None:
        """Record the counts of a rule; rules that left out nothing are recorded as well.

        Counts of one rule and reason add up, because a file is read in blocks.

        Args:
            examples: raw values of rows that were left out.
            places: `file:row` of rows that were left out; given instead of examples.
        """
        new_examples = [place.removeprefix(f"{self.root}/") for place in [*(examples if self.quotes else ()), *places]]
        entry = next((e for e in self.rules if (e["rule"], e["reason"]) == (rule, reason)), None)
        if entry is None:
            entry = {"rule": rule, "rows_in": 0, "rows_out": 0, "reason": reason, "examples": []}
            self.rules.append(entry)
        entry["rows_in"] += rows_in
        entry["rows_out"] += rows_out
        entry["examples"] = [*entry["examples"], *new_examples][:EXAMPLES]

    def warn(self, reason: str, value: str | None = None) -> None:
        """Record a warning, which `preprocess` and `check` show; the arguments are those of `sentence`."""
        sentence = self.sentence(reason, value)
        if sentence not in self.warnings:
            self.warnings.append(sentence)

    def sentence(self, reason: str, value: str | None) -> str:
        """Return a reason with its raw value, or without it where raw values may not be quoted."""
        return with_value(reason, one_line(value) if self.quotes and value is not None else None)

    @contextmanager
    def withheld_values(self) -> Iterator[None]:
        """Remove raw values from the errors that are raised within, where they may not be quoted.

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
