"""Formats of times that are written as text, recognised by the shape of the text: its digits replaced by 9.

`9999-99-99T99:99:99Z` is `%Y-%m-%dT%H:%M:%SZ`, and `99/99/9999 99:99` is `%d/%m/%Y %H:%M` or `%m/%d/%Y %H:%M`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

DAY_FIRST, MONTH_FIRST, YEAR_FIRST = "dmy", "mdy", "ymd"
_LONG_MONTHS = "january|february|march|april|june|july|august|september|october|november|december"
_SHORT_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_MONTH = f"(?:{_LONG_MONTHS}|{_SHORT_MONTHS})"
_WEEKDAY = "(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday|mon|tue|wed|thu|fri|sat|sun)"
# Minutes east of UTC: the names of zones that RFC 2822 defines, and others in use that have one meaning.
_ZONES = {"utc": 0, "gmt": 0, "ut": 0, "z": 0, "est": -300, "edt": -240, "cst": -360, "cdt": -300, "mst": -420}
_ZONES |= {"mdt": -360, "pst": -480, "pdt": -420, "wet": 0, "west": 60, "cet": 60, "cest": 120, "eet": 120, "eest": 180}
_ZONES |= {"msk": 180, "jst": 540, "kst": 540}
_OFFSET = "[+-]99(?::?99)?"
_ZONE = rf" ?(?:(?:utc|gmt)?{_OFFSET}(?: [a-z]+)?|{'|'.join(_ZONES)})(?: ?[(\[][^()\[\]9]*[)\]])?"
_FRACTION = "(?:[.,:]9{1,9})?"
_TIME = rf"(?:99?:99(?::99{_FRACTION})?|99?\.99\.99{_FRACTION})(?: ?[ap]m)?|99? ?[ap]m|99(?=z|[+-])"
_COMPACT_TIME = "9999(?:99(?:[.,]9{1,9})?)?"
_DAY = "99?(?:st|nd|rd|th)?"
_YEAR = "(?:9999|99)"
_NUMERIC_DATE = rf"99?[-/.]99?[-/.] ?{_YEAR}"
_DATE = "|".join(
    (
        _NUMERIC_DATE,
        r"9999[-/.]99?[-/.] ?99?",
        "9999年99?月99?日",
        rf"{_DAY}[-/ .]*(?:of )?{_MONTH}[-/ .,]*{_YEAR}",
        rf"{_MONTH}[-. ]*{_DAY},? {_YEAR}",
        rf"9999[-/ ]{_MONTH}[-/ ]99?",
    )
)
_MONTHS_ONLY = rf"9999[-/]99?|99?[-/]9999|{_MONTH}[-,. ]+9999|9999年99?月"
_SHAPES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?P<weekday>{_WEEKDAY}(?:,|\.)? )?(?P<date>{_DATE})"
        rf"(?:(?:T|,? (?:at )?|:)(?P<time>{_TIME})(?P<zone>{_ZONE})?)?",
        rf"(?P<date>99999999)T(?P<time>{_COMPACT_TIME})(?P<zone>{_ZONE})?",
        rf"(?P<date>{_MONTHS_ONLY})",
        # The year stands last in C's ctime and Java's Date.toString.
        rf"(?P<weekday>{_WEEKDAY},? )(?P<date>{_MONTH} 99?) (?P<time>{_TIME})(?P<zone>{_ZONE})? (?P<year>9999)",
        rf"(?P<weekday>{_WEEKDAY} )(?P<date>{_MONTH} 99? 9999) (?P<time>{_TIME})(?P<zone>{_ZONE})?",  # JavaScript
        rf"(?P<time>{_TIME}),? (?P<date>{_DATE})",
    )
]


@dataclass(frozen=True)
class TimeLayout:
    """A format of `strptime` for each order of day, month and year that a text may have.

    `formats` has pairs of order and format; the order is empty where it is certain.
    """

    formats: tuple[tuple[str, str], ...]
    offset: int = 0  # minutes east of UTC that a name in the text stands for


def layout_of(shape: str) -> TimeLayout | None:
    """Return the layout of the times that have a shape; None if it is not the shape of a time."""
    shape = re.sub(" +", " ", shape)  # `strptime` takes a space for any number of them
    for pattern in _SHAPES:
        match = pattern.fullmatch(shape)
        if match is not None:
            zone = match.groupdict().get("zone") or ""
            formats = tuple((order, _format(match, date)) for order, date in _date_formats(match["date"]))
            return TimeLayout(formats, _minutes_east(zone))
    return None


def _format(match: re.Match[str], date: str) -> str:
    """Return the format of a shape whose date has this format."""
    formatters: dict[str, Callable[[str], str]] = {
        "weekday": lambda text: ("%A" if len(text.rstrip("., ")) > 3 else "%a") + text.lstrip(_LETTERS),
        "date": lambda text: date,
        "time": _time_format,
        "zone": lambda text: re.sub(_OFFSET, "%z", text, count=1),
        "year": lambda text: "%Y",
    }
    spans = sorted((match.span(name), name) for name, text in match.groupdict().items() if text)
    pieces, end = [], 0
    for (start, stop), name in spans:
        pieces += [match.string[end:start], formatters[name](match[name])]
        end = stop
    return "".join([*pieces, match.string[end:]])


_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _tokens(text: str) -> list[str]:
    """Split a text into runs of digits, runs of letters, and what stands between them."""
    return re.findall("9+|[A-Za-z]+|[^9A-Za-z]+", text)


def _date_formats(date: str) -> Iterator[tuple[str, str]]:
    """Yield the orders that a date may have, each with its format."""
    if not re.fullmatch(_NUMERIC_DATE, date):
        yield "", _date_format(date)
        return
    _, one, _, two, year = _tokens(date)
    last = "%Y" if len(year) == 4 else "%y"
    yield DAY_FIRST, f"%d{one}%m{two}{last}"
    yield MONTH_FIRST, f"%m{one}%d{two}{last}"
    if last == "%y":
        yield YEAR_FIRST, f"%y{one}%m{two}%d"


def _date_format(date: str) -> str:
    """Return the format of a date whose order is certain."""
    tokens = _tokens(date)
    months = [n for n, token in enumerate(tokens) if re.fullmatch(_MONTH, token, re.IGNORECASE)]
    expected = iter(["%d", "%y"] if months else ["%m", "%d"])  # for numbers of one or two digits
    pieces = []
    for n, token in enumerate(tokens):
        if n in months:
            pieces.append("%b" if len(token) == 3 else "%B")
        elif token.startswith("9"):
            pieces.append({4: "%Y", 8: "%Y%m%d"}.get(len(token)) or next(expected))
        else:
            pieces.append(token)
    return "".join(pieces)


def _time_format(time: str) -> str:
    tokens = _tokens(time)
    hour = "%I" if tokens[-1].lower() in ("am", "pm") else "%H"
    expected = iter([hour, "%M", "%S", "%n"])
    pieces: list[str] = []
    for token in tokens:
        if token.startswith("9"):
            compact = {4: f"{hour}%M", 6: f"{hour}%M%S"}.get(len(token)) if not pieces else None
            if compact:
                expected = iter(["%n"])
            pieces.append(compact or next(expected))
        else:
            pieces.append("%p" if token.lower() in ("am", "pm") else token)
    return "".join(pieces)


def _minutes_east(zone: str) -> int:
    """Return the minutes east of UTC that the name of a zone stands for; 0 where the text tells the offset."""
    if re.search(_OFFSET, zone):
        return 0
    return _ZONES.get(re.sub(r" ?[(\[].*", "", zone).strip().lower(), 0)
