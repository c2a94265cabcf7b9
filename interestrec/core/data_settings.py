"""The `data` section: one model a raw format, with where its files are and what their columns mean."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from interestrec.core.section import CountOrZero, Fraction, Section


class DataSettings(Section):
    """What all formats share; each also has `names`, of all its raw files."""

    root: Path = Path()  # directory that all data files are relative to; itself relative to the working directory
    relevant_at: Annotated[float, Field(gt=0, le=1)] | None = None  # relevant = intensity at or above it
    max_bad_rows: CountOrZero = 0  # malformed rows tolerated (counted in quality.json) before it is an error
    max_items_without_text: Fraction = 0.05  # share of items


class MindData(DataSettings):
    """MIND layout: `news.tsv` files and `behaviors.tsv` files a split."""

    format: Literal["mind"]
    news: list[str] = Field(min_length=1)
    train: list[str] = Field(min_length=1)
    valid: list[str] = []
    test: list[str] = []

    @property
    def names(self) -> list[str]:
        """Names and patterns of all raw files, relative to `root`."""
        return [*self.news, *self.train, *self.valid, *self.test]


class Condition(Section):
    """Rows kept by a filter: exactly one test on one column."""

    column: str
    equals: str | float | None = None
    one_of: list[str | float] | None = None
    above: float | None = None
    below: float | None = None
    not_prefix: str | None = None
    not_null: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_test(self) -> "Condition":
        if len(self.model_dump(exclude_none=True)) != 2:
            raise ValueError("give exactly one of equals, one_of, above, below, not_prefix, not_null")
        return self


class Table(Section):
    """Files of one table: CSV, TSV, JSON lines or Parquet by their suffix, gzip too.

    Names may be patterns such as `day=*/part-*.parquet`; directories `day=2026-03-01` are a column `day`.
    """

    files: list[str] = Field(min_length=1)
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None  # where the suffix does not tell
    where: list[Condition] = []


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


class EventTable(Table):
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


class ItemTable(Table):
    columns: ItemColumns


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


# One table, or a list of tables whose columns differ.
EventTables = Annotated[
    list[EventTable],
    BeforeValidator(_as_list, json_schema_input_type=EventTable | list[EventTable]),
    Field(min_length=1),
]


class EventsData(DataSettings):
    """Event log by column mapping; items from a table of their own or from the event rows."""

    format: Literal["events"]
    events: EventTables
    items: ItemTable

    @property
    def names(self) -> list[str]:
        """Names and patterns of all raw files, relative to `root`."""
        return [*(name for table in self.events for name in table.files), *self.items.files]


class RecboleData(DataSettings):
    """RecBole atomic files: `.inter` and `.item`."""

    format: Literal["recbole"]
    inter: str
    item: str
    value: str | None = None  # field of `.inter` with the rating
    event: str = "event"
    title: list[str] = Field(min_length=1)  # fields of `.item`, joined by a space
    text: list[str] = []
    category: str | None = None

    @property
    def names(self) -> list[str]:
        """Names and patterns of all raw files, relative to `root`."""
        return [self.inter, self.item]


class ShownColumns(Section):
    """Columns of impressions; `shown`, `clicked`, `labels` and `history` are lists."""

    user: str
    shown: str
    impression: str | None = None  # id; without it the row's number
    time: str | None = None
    clicked: str | None = None  # ids out of `shown`
    labels: str | None = None  # a number a candidate, clicked when above 0
    history: str | None = None  # ids read before, oldest first
    value: str | None = None  # what the click measured, such as seconds read

    @model_validator(mode="after")
    def _one_answer(self) -> "ShownColumns":
        if (self.clicked is None) == (self.labels is None):
            raise ValueError("give clicked or labels")
        return self


class HistoryColumns(Section):
    """Columns of a table with one row a user; all but `user` are lists of equal length, oldest first."""

    user: str
    items: str
    times: str | None = None
    values: str | None = None


class HistoryTable(Section):
    """What users had read before the impressions of each split."""

    train: list[str] = Field(min_length=1)
    valid: list[str] = []
    test: list[str] = []
    columns: HistoryColumns


class ImpressionsData(DataSettings):
    """Impressions with list columns, Parquet or JSON lines (EB-NeRD's layout)."""

    format: Literal["impressions"]
    train: list[str] = Field(min_length=1)
    valid: list[str] = []
    test: list[str] = []
    columns: ShownColumns
    time_unit: Literal["s", "ms", "us"] = "s"  # of numeric times
    history: HistoryTable | None = None
    items: ItemTable | None = None  # None = every id met is an item, without text

    @model_validator(mode="after")
    def _one_history(self) -> "ImpressionsData":
        if self.history is not None and self.columns.history is not None:
            raise ValueError("give columns.history or history, not both")
        return self

    @property
    def names(self) -> list[str]:
        """Names and patterns of all raw files, relative to `root`."""
        history = [*self.history.train, *self.history.valid, *self.history.test] if self.history else []
        return [*self.train, *self.valid, *self.test, *history, *(self.items.files if self.items else [])]


class Plots(Section):
    """A table of plots or overviews to join."""

    file: str
    key: str = "movieId"  # or a column of the links file, such as tmdbId
    column: str = "overview"


class MovielensData(DataSettings):
    """MovieLens: `.csv` files with headers, or files parted by `::`. Events are of type `rating`."""

    format: Literal["movielens"]
    ratings: str = "ratings.csv"
    movies: str = "movies.csv"
    links: str | None = None
    plots: Plots | None = None

    @property
    def names(self) -> list[str]:
        """Names and patterns of all raw files, relative to `root`."""
        return [self.ratings, self.movies, *filter(None, [self.links]), *([self.plots.file] if self.plots else [])]


class AmazonData(DataSettings):
    """Amazon reviews and metadata, JSON lines of 2018 or 2023. Events are of type `review`, values stars."""

    format: Literal["amazon"]
    reviews: list[str] = Field(min_length=1)
    metadata: list[str] = Field(min_length=1)

    @property
    def names(self) -> list[str]:
        """Names and patterns of all raw files, relative to `root`."""
        return [*self.reviews, *self.metadata]


DATA_FORMATS: dict[str, type[DataSettings]] = {
    "mind": MindData,
    "impressions": ImpressionsData,
    "events": EventsData,
    "movielens": MovielensData,
    "amazon": AmazonData,
    "recbole": RecboleData,
}
AnyData = MindData | ImpressionsData | EventsData | MovielensData | AmazonData | RecboleData
