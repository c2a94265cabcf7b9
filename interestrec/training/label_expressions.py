"""Label expressions of tasks: what is known of an event becomes the number that a task predicts.

    label     = number ["where" condition] | condition
    condition = test {"and" test}
    test      = "event" ("==" | "!=") name | "event" "in" "(" name {"," name} ")" | number comparison constant
    number    = "value" | "intensity"

A condition is 1 where it holds and 0 elsewhere. Where the condition after `where` fails, or a column that is read is
unknown, the label is unknown.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from interestrec.core.choices import suggestion
from interestrec.core.deferred_import import np
from interestrec.core.errors import ConfigError

if TYPE_CHECKING:
    from interestrec.corpus.event_columns import LabelColumns

NUMBERS = ("value", "intensity")
_EVENT = "event"
_TOKEN = re.compile(r"""\s*(?:(?P<quoted>"[^"]*"|'[^']*')|(?P<sign>==|!=|>=|<=|>|<|[(),])|(?P<word>[^\s"'=!<>(),]+))""")
_COMPARISONS: dict[str, Callable[..., np.ndarray]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True)
class EventTest:
    """Whether the type of an event is one of some, or none of them."""

    names: tuple[str, ...]
    inside: bool

    def __call__(self, columns: LabelColumns) -> tuple[np.ndarray, np.ndarray]:
        """Return whether the test holds and whether that is known, bool [rows] each."""
        for name in self.names:
            if name not in columns.names:
                raise ConfigError(
                    f"no event of the corpus is of type '{name}'{suggestion(name, columns.names)}; there are: "
                    f"{', '.join(columns.names)}"
                )
        codes = [columns.names.index(name) for name in self.names]
        return np.isin(columns.event, codes) == self.inside, columns.event >= 0


@dataclass(frozen=True)
class Comparison:
    """A comparison of a number with a constant."""

    column: str
    comparison: str
    constant: float

    def __call__(self, columns: LabelColumns) -> tuple[np.ndarray, np.ndarray]:
        """Return whether the test holds and whether that is known, bool [rows] each."""
        number = getattr(columns, self.column).astype(np.float64)
        return _COMPARISONS[self.comparison](number, self.constant), ~np.isnan(number)


@dataclass(frozen=True)
class LabelExpression:
    """A parsed label: a number where all tests hold, or whether all tests hold."""

    number: str | None
    tests: tuple[EventTest | Comparison, ...]

    def __call__(self, columns: LabelColumns) -> np.ndarray:
        """Return the labels, float32 [rows], NaN where unknown.

        Raises:
            ConfigError: the corpus has no event of a type that is named.
        """
        holds, known = np.ones(len(columns.event), bool), np.ones(len(columns.event), bool)
        for test in self.tests:
            one, sure = test(columns)
            holds, known = holds & one, known & sure
        if self.number is None:
            return np.where(known, holds, np.nan).astype(np.float32)
        return np.where(known & holds, getattr(columns, self.number), np.nan).astype(np.float32)


def parse_label(text: str) -> LabelExpression:
    """Parse a label expression.

    Raises:
        ValueError: it is none; the message tells the position, counted from 1, and what is expected there.
    """
    reader = _ExpressionReader(text)
    number = None
    if reader.peek() in NUMBERS and reader.peek(1) in ("", "where"):
        number = reader.take()
        if not reader.peek():
            return LabelExpression(number, ())
        reader.take()
    tests = [_test(reader)]
    while reader.peek() == "and":
        reader.take()
        tests.append(_test(reader))
    reader.expect("", "the end or 'and'")
    return LabelExpression(number, tuple(tests))


def _test(reader: _ExpressionReader) -> EventTest | Comparison:
    column = reader.expect((_EVENT, *NUMBERS), f"a column, {_EVENT}, {' or '.join(NUMBERS)}")
    if column != _EVENT:
        comparison = reader.expect(tuple(_COMPARISONS), "a comparison such as >=")
        return Comparison(column, comparison, reader.constant())
    comparison = reader.expect(("==", "!=", "in"), "==, != or in")
    if comparison != "in":
        return EventTest((reader.name(),), comparison == "==")
    reader.expect("(", "(")
    names = [reader.name()]
    while reader.expect((",", ")"), ", or )") == ",":
        names.append(reader.name())
    return EventTest(tuple(names), True)


class _ExpressionReader:
    """The tokens of an expression, read one after another."""

    def __init__(self, text: str) -> None:
        self.text, self.tokens, self.place = text, list[tuple[str, str, int]](), 0
        at, end = 0, len(text.rstrip())
        while at < end:
            match = _TOKEN.match(text, at)
            if match is None:
                start = at + len(text[at:]) - len(text[at:].lstrip())
                raise ValueError(f"label '{text}': '{text[start]}' at position {start + 1} is not understood")
            kind = str(match.lastgroup)
            self.tokens.append((kind, match[kind], match.start(kind) + 1))
            at = match.end()

    def peek(self, ahead: int = 0) -> str:
        """Return a token to come, an empty text after the last."""
        place = self.place + ahead
        return self.tokens[place][1] if place < len(self.tokens) else ""

    def take(self) -> str:
        """Return the next token and go on."""
        self.place += 1
        return self.peek(-1)

    def expect(self, choices: str | tuple[str, ...], wanted: str) -> str:
        """Return the next token if it is one of the choices, or raise a ValueError."""
        allowed = (choices,) if isinstance(choices, str) else choices
        if self.peek() not in allowed:
            raise self.refusal(wanted, allowed)
        return self.take()

    def name(self) -> str:
        """Return the next token as the name of an event's type."""
        if self.place >= len(self.tokens) or self.tokens[self.place][0] == "sign":
            raise self.refusal("the type of an event")
        return self.take().strip("\"'")

    def constant(self) -> float:
        """Return the next token as a number."""
        try:
            number = float(self.peek())
        except ValueError:
            raise self.refusal("a number") from None
        self.place += 1
        return number

    def refusal(self, wanted: str, choices: tuple[str, ...] = ()) -> ValueError:
        """Return the error that tells what stands at the place and what is wanted."""
        found = self.peek()
        what = f"'{found}'{suggestion(found, choices)}" if found else "the end"
        position = self.tokens[self.place][2] if self.place < len(self.tokens) else len(self.text.rstrip()) + 1
        return ValueError(f"label '{self.text}': expected {wanted} at position {position}, found {what}")
