"""Times that a configuration gives, such as the ends of a filter."""

import re
from datetime import UTC, datetime

_PARTIAL = re.compile(r"\d{4}(-\d{2})?")


def time_literal(text: str) -> str:
    """Return a time in ISO 8601 as text in UTC without an offset, which SQL reads as a TIMESTAMP.

    `2020` and `2020-07` mean their first days.

    Raises:
        ValueError: the text is not a time.
    """
    completed = text if not _PARTIAL.fullmatch(text) else f"{text}-01-01"[: len("2020-07-01")]
    try:
        moment = datetime.fromisoformat(completed)
    except ValueError:
        raise ValueError(f"'{text}' is not a time in ISO 8601; write such as 2020-07-05 or 2020-07-05T10:00") from None
    moment = moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    return moment.isoformat(sep=" ")
