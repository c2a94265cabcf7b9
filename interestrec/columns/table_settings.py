"""Settings of tables of events, items and users that are read by column mapping, in the `data` section."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from interestrec.core.section import Section
from interestrec.rawfiles.text_layout import TextLayout

RESERVED = ("user", "user_id", "valid_part")  # columns of users.parquet


ColumnName = Annotated[str, Field(coerce_numbers_to_str=True)]  # numbers name the columns of files without a header


class RowCondition(Section):
    """A condition that rows must meet to be read: exactly one test of one column."""

    column: ColumnName
    """Column that is tested."""
    equals: str | float | None = None
    """Keeps rows whose value equals this text or number."""
    one_of: list[str | float] | None = None
    """Keeps rows whose value equals one of these texts or numbers."""
    above: float | None = None
    """Keeps rows whose number is greater than this."""
    below: float | None = None
    """Keeps rows whose number is less than this."""
    not_prefix: str | None = None
    """Keeps rows whose text does not begin with this, such as `C` of cancelled invoices."""
    not_null: Literal[True] | None = None
    """With `true`, rows that have a value are kept."""

    @model_validator(mode="after")
    def _check_test(self) -> "RowCondition":
        if len(self.model_dump(exclude_none=True)) != 2:
            raise ValueError("give exactly one of equals, one_of, above, below, not_prefix, not_null")
        return self


class TableSettings(TextLayout):
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
    """Column with the time: a timestamp, ISO 8601 text or a number in `time_unit`. Without one the split method must be
    `user_random` or `none`."""
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
    time_unit: Literal["s", "ms", "us"] = "s"
    """Unit of numeric times since 1970: `s` seconds, `ms` milliseconds, `us` microseconds. Text is read as ISO 8601."""


class ItemColumns(Section):
    """Which column of an item table means what. Give `title`, `text` or both."""

    item: ColumnName
    """Column with the id of the item."""
    title: list[ColumnName] = []
    """Columns that make the title, joined by a space; empty ones are left out."""
    text: list[ColumnName] = []
    """Columns that make the longer text, joined by a space; empty ones are left out."""
    category: ColumnName | None = None
    """Column with the category, a path such as `sports/football`."""
    category_separator: str | None = None
    """Text that separates the levels of a category; `null` = `/`."""
    price: ColumnName | None = None
    """Column with the price; currency signs and thousands separators (commas) are ignored."""
    published: ColumnName | None = None
    """Column with the time of publication: a timestamp, ISO 8601 text or seconds since 1970."""

    @model_validator(mode="after")
    def _check_text(self) -> "ItemColumns":
        if not self.title and not self.text:
            raise ValueError("give title, text or both; an item without text cannot be encoded")
        return self


class ItemTable(TableSettings):
    """A table of items, one row per item."""

    columns: ItemColumns
    """Which column means what."""


class UserColumns(Section):
    """Which column of a user table means what."""

    user: ColumnName
    """Column with the id of the user, as in the events."""


def _check_attributes(names: list[str]) -> list[str]:
    """Check names of user attributes, which become columns of the corpus beside those that every corpus has."""
    lower = [name.lower() for name in names]
    for name in names:
        if name.lower() in RESERVED:
            raise ValueError(f"'{name}' is the name of a column that every corpus has; rename the column in the file")
        if lower.count(name.lower()) > 1:
            raise ValueError(f"'{name}' is given twice; keep one")
    return names


Attributes = Annotated[list[ColumnName], AfterValidator(_check_attributes)]
SomeAttributes = Annotated[list[ColumnName], Field(min_length=1), AfterValidator(_check_attributes)]


class UserTable(TableSettings):
    """A table of users, one row per user."""

    columns: UserColumns
    """Which column means what."""
    attributes: SomeAttributes
    """Columns that a report may slice by: numbers where every value in the table is one, else words."""


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


# One table, or a list of tables whose columns differ.
EventTables = Annotated[
    list[EventTable],
    BeforeValidator(_as_list, json_schema_input_type=EventTable | list[EventTable]),
    Field(min_length=1),
]
