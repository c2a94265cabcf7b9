"""Tables by column mapping, in the `data` section: of events, of items, of users."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from interestrec.core.section import Section

RESERVED = ("user", "user_id", "valid_part")  # columns of users.parquet


class RowCondition(Section):
    """Rows kept by a filter: exactly one test on one column."""

    column: str
    equals: str | float | None = None
    one_of: list[str | float] | None = None
    above: float | None = None
    below: float | None = None
    not_prefix: str | None = None
    not_null: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_test(self) -> "RowCondition":
        if len(self.model_dump(exclude_none=True)) != 2:
            raise ValueError("give exactly one of equals, one_of, above, below, not_prefix, not_null")
        return self


class TableSettings(Section):
    """Files of one table: CSV, TSV, JSON lines or Parquet by their suffix, gzip too.

    Names may be patterns such as `day=*/part-*.parquet`; directories `day=2026-03-01` are a column `day`.
    """

    files: list[str] = Field(min_length=1)
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None  # where the suffix does not tell
    where: list[RowCondition] = []


class EventColumns(Section):
    user: str | None = None
    session: str | None = None  # stands for the user where that is empty or has no column
    item: str
    time: str | None = None
    event: str | None = None  # column with the event type; without it every row is an `event`
    value: str | None = None  # rating, hours, seconds …

    @model_validator(mode="after")
    def _somebody(self) -> "EventColumns":
        if self.user is None and self.session is None:
            raise ValueError("give user, session or both")
        return self


class EventTable(TableSettings):
    columns: EventColumns
    event: str = "event"  # type of every row when no column tells it
    event_types: dict[str, str] | None = None  # type in the log -> our name; unlisted types are counted and left out
    time_unit: Literal["s", "ms", "us"] = "s"  # of numeric times; text is read as ISO 8601


class ItemColumns(Section):
    item: str
    title: list[str] = []  # columns joined by a space, empty ones left out
    text: list[str] = []
    category: str | None = None
    category_separator: str | None = None  # what parts the levels of a category, where it is not `/`
    price: str | None = None
    published: str | None = None

    @model_validator(mode="after")
    def _words(self) -> "ItemColumns":
        if not self.title and not self.text:
            raise ValueError("name title or text; an item without words cannot be encoded")
        return self


class ItemTable(TableSettings):
    columns: ItemColumns


class UserColumns(Section):
    user: str


def _usable(names: list[str]) -> list[str]:
    """The names of attributes, which become columns of the corpus's users beside those that all corpora have."""
    lower = [name.lower() for name in names]
    for name in names:
        if name.lower() in RESERVED:
            raise ValueError(f"'{name}' is a column that all users have; rename it in the file")
        if lower.count(name.lower()) > 1:
            raise ValueError(f"'{name}' is given twice; keep one")
    return names


Attributes = Annotated[list[str], AfterValidator(_usable)]
SomeAttributes = Annotated[list[str], Field(min_length=1), AfterValidator(_usable)]


class UserTable(TableSettings):
    columns: UserColumns
    # columns that a report may slice by: numbers where every value in the table is one, else words
    attributes: SomeAttributes


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


# One table, or a list of tables whose columns differ.
EventTables = Annotated[
    list[EventTable],
    BeforeValidator(_as_list, json_schema_input_type=EventTable | list[EventTable]),
    Field(min_length=1),
]
