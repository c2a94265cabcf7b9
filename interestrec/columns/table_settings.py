"""Settings of tables of events, items and users that are read by column mapping, in the `data` section."""

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from interestrec.columns.property_settings import PropertyColumns
from interestrec.columns.time_literals import time_literal
from interestrec.columns.whole_columns import NULL_VALUES
from interestrec.core.section import Section, written_key
from interestrec.rawfiles.text_layout import TextLayout

_DIRECTIVES = {*"aAwdbBmyYHIpMSfgnzZjUWGuVcxX%", *(f"-{name}" for name in "dmyHIMSj")}
_OF_YEARS = {*"yYGcx"}
RESERVED = ("user", "user_id", "valid_part")  # columns of users.parquet
RESERVED_OF_ITEMS = ("item", "item_id", "title", "text", "category", "price", "published", "has_text", "in_train")


ColumnName = Annotated[str, Field(coerce_numbers_to_str=True)]  # numbers name the columns of files without a header
Scalar = bool | int | float | str


def _check_format(text: str) -> str:
    """Check that a format has the directives of `strptime` and nothing that only looks like one."""
    directives = re.findall("%(-?.?)", text, re.DOTALL)
    unknown = [name for name in directives if name not in _DIRECTIVES]
    if unknown:
        raise ValueError(f"'%{unknown[0]}' is no directive of strptime; write such as %d/%m/%Y %H:%M")
    if not any(name.strip("-") in _OF_YEARS for name in directives):
        raise ValueError("the format has no year; write such as %d/%m/%Y %H:%M")
    return text


def _as_text(value: Any) -> Any:
    """Return a date, which YAML makes of `2020-07-05`, as its text."""
    return value.isoformat() if isinstance(value, date) else value


TimeFormat = Annotated[str, AfterValidator(_check_format)]
TimeUnit = Literal["s", "ms", "us", "ns"]
TimeText = Annotated[str, BeforeValidator(_as_text), AfterValidator(time_literal)]


class RowCondition(Section):
    """A condition that rows must meet to be read: exactly one test of one column.

    Values are compared as what the column holds: truth values, numbers, ids or text.
    """

    column: ColumnName
    """Column that is tested."""
    equals: Scalar | None = None
    """Keeps rows whose value is this truth value, number or text; `17850` is also `17850.0`, and `true` is also `True`,
    `yes` and `1`."""
    not_equals: Scalar | None = None
    """Keeps rows whose value is another than this one; rows without a value are kept."""
    in_: Annotated[list[Scalar], Field(min_length=1)] | None = Field(None, alias="in")
    """Keeps rows whose value is one of these, compared as by `equals`."""
    not_in: Annotated[list[Scalar], Field(min_length=1)] | None = None
    """Keeps rows whose value is none of these; rows without a value are kept."""
    above: float | None = None
    """Keeps rows whose number is greater than this."""
    below: float | None = None
    """Keeps rows whose number is less than this."""
    from_: TimeText | None = Field(None, alias="from")
    """Keeps rows whose time is this one or later: `2020`, `2020-07`, `2020-07-05` or `2020-07-05T10:00:00+02:00`; UTC
    where the time has no offset."""
    to: TimeText | None = None
    """Keeps rows whose time is earlier than this one, written as under `from`: `to: 2021-01-01` keeps all of 2020."""
    matches: Annotated[str, Field(min_length=1)] | None = None
    """Keeps rows whose text has a match of this regular expression (RE2); `^` and `$` stand for its ends."""
    not_prefix: str | None = None
    """Keeps rows whose text does not begin with this, such as `C` of cancelled invoices."""
    not_null: Literal[True] | None = None
    """With `true`, rows that have a value are kept."""

    @model_validator(mode="before")
    @classmethod
    def _check_old_name(cls, values: Any) -> Any:
        if isinstance(values, dict) and "one_of" in values:
            raise ValueError("one_of is called `in`; write in: [...]")
        return values

    @model_validator(mode="after")
    def _check_test(self) -> "RowCondition":
        tests = [written_key(RowCondition, name) for name in RowCondition.model_fields if name != "column"]
        if len(self.model_dump(exclude_none=True)) != 2:
            raise ValueError(f"give exactly one of {', '.join(tests)}")
        return self


class NotationSettings(Section):
    """How the values of a table's columns are written."""

    null_values: list[str] = list(NULL_VALUES)
    """Texts that stand for a missing id, number or time, without regard to case; an empty value is always missing.
    Titles, texts and categories keep them."""
    decimal: Literal[".", ","] | None = None
    """Decimal mark of numbers that are text: `.` as in 1,299.00, `,` as in 1.299,00; `null` = decided for each column
    by its values."""
    time_format: TimeFormat | None = None
    """How the table's times are written, in the directives of `strptime`, such as `%d/%m/%Y %H:%M`; `null` = decided by
    the values of the column."""
    time_unit: TimeUnit | None = None
    """Unit of the table's numeric times since 1970: `s` seconds, `ms` milliseconds, `us` microseconds, `ns`
    nanoseconds; `null` = decided by the values of the column, which may also be dates such as 20200705."""

    @model_validator(mode="after")
    def _check_times(self) -> "NotationSettings":
        if self.time_format is not None and self.time_unit is not None:
            raise ValueError("give time_format or time_unit, not both")
        return self


class TableSettings(NotationSettings, TextLayout):
    """Files of one table: CSV, TSV, JSON lines or Parquet by their suffix, text also compressed.

    Names may be patterns such as `day=*/part-*.parquet`; directories `day=2026-03-01` are a column `day`.
    """

    files: list[str] = Field(min_length=1)
    """Names or patterns of the files, relative to `data.root`, such as `day=*/part-*.parquet`. The suffix tells the
    kind: `.csv`, `.tsv`, `.jsonl` or `.parquet`; text may be compressed: `.gz`, `.bz2`, `.xz`, `.zst`, `.zip`."""
    where: list[RowCondition] = []
    """Conditions that a row must all meet to be read; other rows are left out and counted."""


class EventColumns(Section):
    """Which column of an event table means what. Give `user`, `session` or both."""

    user: ColumnName | None = None
    """Column with the id of the user."""
    session: ColumnName | None = None
    """Column with the id of the session, which stands for the user where that is empty or has no column."""
    item: ColumnName
    """Column with the id of the item."""
    time: ColumnName | None = None
    """Column with the time: a timestamp, text or a number; see `time_format` and `time_unit`. Without one the split
    method must be `user_random` or `none`."""
    event: ColumnName | None = None
    """Column with the type of the event, such as view or purchase; `null` = every row is of the table's type
    `event`."""
    value: ColumnName | None = None
    """Column with the measured value, such as a rating, hours or seconds; `preprocess.intensity.values` maps it."""

    @model_validator(mode="after")
    def _check_user(self) -> "EventColumns":
        if self.user is None and self.session is None:
            raise ValueError("give user, session or both")
        return self


class EventTable(TableSettings):
    """A table of events, one row per event."""

    columns: EventColumns
    """Which column means what."""
    event: str = "event"
    """Type of every row where no column tells it."""
    event_types: dict[str, str] | None = None
    """Type in the log to the name that the configuration uses; rows of types not listed are left out and counted.
    `null` = all types, by their names in the log."""


class ItemColumns(Section):
    """Which column of an item table means what. Give `title`, `text` or both."""

    item: ColumnName
    """Column with the id of the item."""
    title: list[ColumnName] = []
    """Columns that make the title, joined by a space, as lists are; empty ones are left out."""
    text: list[ColumnName] = []
    """Columns that make the longer text, joined by a space, as lists are; empty ones are left out."""
    category: ColumnName | None = None
    """Column with the category, a path such as `sports/football`, or a list of its levels."""
    category_separator: str | None = None
    """Text that separates the levels of a category; `null` = `/`."""
    price: ColumnName | None = None
    """Column with the price; a currency and thousands marks may stand beside the number. A price that is not one number
    is counted and left empty."""
    published: ColumnName | None = None
    """Column with the time of publication: a timestamp, text or a number, such as a year; see `time_format` and
    `time_unit`. A time that cannot be read is counted and left empty."""

    @model_validator(mode="after")
    def _check_text(self) -> "ItemColumns":
        if not self.title and not self.text:
            raise ValueError("give title, text or both; an item without text cannot be encoded")
        return self


def _check_names(names: list[str], reserved: tuple[str, ...], advice: str) -> list[str]:
    """Check names of attributes, which become columns of the corpus beside those that every corpus has."""
    lower = [name.lower() for name in names]
    for name in names:
        if name.lower() in reserved:
            raise ValueError(f"'{name}' is the name of a column that every corpus has; {advice}")
        if lower.count(name.lower()) > 1:
            raise ValueError(f"'{name}' is given twice; keep one")
    return names


def _check_attributes(names: list[str]) -> list[str]:
    return _check_names(names, RESERVED, "rename the column in the file")


def _check_item_attributes(names: list[str]) -> list[str]:
    return _check_names(names, RESERVED_OF_ITEMS, "name it under `columns`, or rename the column in the file")


Attributes = Annotated[list[ColumnName], AfterValidator(_check_attributes)]
SomeAttributes = Annotated[list[ColumnName], Field(min_length=1), AfterValidator(_check_attributes)]
ItemAttributeNames = Annotated[list[ColumnName], AfterValidator(_check_item_attributes)]


class ItemTable(TableSettings):
    """A table of items, one row per item, or of their properties, one row per value."""

    columns: ItemColumns
    """Which column means what."""
    attributes: ItemAttributeNames = []
    """Further columns to keep with the items, which `items.fields` can use: numbers where every value is one, lists
    (also written as `['a', 'b']`) as tags, lists of equally many numbers as vectors, else words."""
    properties: PropertyColumns | None = None
    """For a table with one row per item, property and time: which column means what. `columns.item` is then still a
    column, and the other keys of `columns` name properties. `null` = one row per item."""


class UserColumns(Section):
    """Which column of a user table means what."""

    user: ColumnName
    """Column with the id of the user, as in the events."""


class UserTable(TableSettings):
    """A table of users, one row per user."""

    columns: UserColumns
    """Which column means what."""
    attributes: SomeAttributes
    """Columns that a report may slice by and `users.fields` can use: numbers where every value in the table is one,
    else words."""


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


# One table, or a list of tables whose columns differ.
EventTables = Annotated[
    list[EventTable],
    BeforeValidator(_as_list, json_schema_input_type=EventTable | list[EventTable]),
    Field(min_length=1),
]
