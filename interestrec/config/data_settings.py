"""The `data` section: one model a raw format, with where its files are and what their columns mean."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from interestrec.config.table_settings import Attributes, EventTables, ItemTable, SomeAttributes, UserTable
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


class EventsData(DataSettings):
    """Event log by column mapping; items from a table of their own or from the event rows."""

    format: Literal["events"]
    events: EventTables
    items: ItemTable
    users: UserTable | None = None

    @property
    def names(self) -> list[str]:
        """Names and patterns of all raw files, relative to `root`."""
        users = self.users.files if self.users else []
        return [*(name for table in self.events for name in table.files), *self.items.files, *users]


class RecboleData(DataSettings):
    """RecBole atomic files: `.inter`, `.item` and, where there is one, `.user`."""

    format: Literal["recbole"]
    inter: str
    item: str
    value: str | None = None  # field of `.inter` with the rating
    event: str = "event"
    title: list[str] = Field(min_length=1)  # fields of `.item`, joined by a space
    text: list[str] = []
    category: str | None = None
    user: str | None = None
    attributes: Attributes = []  # fields of `.user` that a report may slice by

    @model_validator(mode="after")
    def _of_users(self) -> "RecboleData":
        if (self.user is None) != (not self.attributes):
            raise ValueError("user, the file, and attributes, its fields, belong together; give both or none")
        return self

    @property
    def names(self) -> list[str]:
        """Names and patterns of all raw files, relative to `root`."""
        return [self.inter, self.item, *([self.user] if self.user else [])]


class ImpressionColumns(Section):
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
    def _one_answer(self) -> "ImpressionColumns":
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
    columns: ImpressionColumns
    time_unit: Literal["s", "ms", "us"] = "s"  # of numeric times
    history: HistoryTable | None = None
    items: ItemTable | None = None  # None = every id met is an item, without text
    users: UserTable | None = None

    @model_validator(mode="after")
    def _one_history(self) -> "ImpressionsData":
        if self.history is not None and self.columns.history is not None:
            raise ValueError("give columns.history or history, not both")
        return self

    @property
    def names(self) -> list[str]:
        """Names and patterns of all raw files, relative to `root`."""
        history = [*self.history.train, *self.history.valid, *self.history.test] if self.history else []
        about = [name for table in (self.items, self.users) if table for name in table.files]
        return [*self.train, *self.valid, *self.test, *history, *about]


class PlotTable(Section):
    """A table of plots or overviews to join."""

    file: str
    key: str = "movieId"  # or a column of the links file, such as tmdbId
    column: str = "overview"


class MovielensUsers(Section):
    """`users.dat` with gender, age, occupation and zip_code; or a table with a header and a column `userId`."""

    file: str = "users.dat"
    attributes: SomeAttributes


class MovielensData(DataSettings):
    """MovieLens: `.csv` files with headers, or files parted by `::`. Events are of type `rating`."""

    format: Literal["movielens"]
    ratings: str = "ratings.csv"
    movies: str = "movies.csv"
    links: str | None = None
    plots: PlotTable | None = None
    users: MovielensUsers | None = None

    @property
    def names(self) -> list[str]:
        """Names and patterns of all raw files, relative to `root`."""
        joined = [table.file for table in (self.plots, self.users) if table]
        return [self.ratings, self.movies, *filter(None, [self.links]), *joined]


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
