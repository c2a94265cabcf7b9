"""Settings of a table of item properties: one row per property, its value and the time from which it holds."""

from __future__ import annotations

from interestrec.core.section import Section


class PropertyColumns(Section):
    """Which columns of a table of item properties mean what; the table's `columns` then name properties."""

    name: str
    """Column with the name of the property, such as `price`."""
    value: str
    """Column with the value."""
    time: str | None = None
    """Column with the time from which the value holds, written as `time_format` and `time_unit` of the table say. An
    event is described by the latest values before it; without a time the last value in the file describes the item."""
