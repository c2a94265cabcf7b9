"""The `data` section: one model a raw format, with where its files are and what their columns mean."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from interestrec.config.table_settings import Attributes, EventTables, ItemTable, SomeAttributes, UserTable
from interestrec.core.section import CountOrZero, Fraction, Section


class DataSettings(Section):
    """What all formats share; each also has `names`, of all its raw files."""

    root: Path = Path()
    """Directory that all names of data files are relative to; itself relative to the working directory."""
    relevant_at: Annotated[float, Field(gt=0, le=1)] | None = None
    """Least intensity, above 0 and up to 1, that counts as relevant in ranking metrics and as a positive event for the
    scorers. Required where values are mapped to intensities; without it everything above 0 is relevant."""
    max_bad_rows: CountOrZero = 0
    """Malformed rows that may be left out, counted in `quality.json`, before `preprocess` fails. Raise it only after a
    look at the rows that the error names."""
    max_items_without_text: Fraction = 0.05
    """Share of items that may lack both title and text; above it `preprocess` fails. 1 allows a catalogue without any
    text."""


class MindData(DataSettings):
    """Data in the layout of MIND: `news.tsv` files, and `behaviors.tsv` files per split."""

    format: Literal["mind"]
    """Layout of the raw files: `mind`, tab-separated news and behaviours."""
    news: list[str] = Field(min_length=1)
    """Names of the `news.tsv` files with id, category, subcategory, title and abstract of each news item."""
    train: list[str] = Field(min_length=1)
    """Names of the `behaviors.tsv` files of the train split: one line per impression, with history and candidates."""
    valid: list[str] = []
    """Names of the `behaviors.tsv` files of the valid split. Without any, `preprocess.split` takes valid from train: by
    `valid_from`, else a share."""
    test: list[str] = []
    """Names of the `behaviors.tsv` files of the test split. Without any the model can be trained, but nothing can be
    evaluated."""

    @property
    def names(self) -> list[str]:
        """Names and patterns of all raw files, relative to `root`."""
        return [*self.news, *self.train, *self.valid, *self.test]


class EventsData(DataSettings):
    """An event log by column mapping; items come from a table of their own or from the event rows."""

    format: Literal["events"]
    """Layout of the raw files: `events`, tables whose columns the configuration names."""
    events: EventTables
    """The table of events, or a list of tables whose columns differ."""
    items: ItemTable
    """The table of items. Where the rows of events describe their items, name the same files as under `events`."""
    users: UserTable | None = None
    """A table of user attributes that a report may slice by; `null` = there is none."""

    @property
    def names(self) -> list[str]:
        """Names and patterns of all raw files, relative to `root`."""
        users = self.users.files if self.users else []
        return [*(name for table in self.events for name in table.files), *self.items.files, *users]


class RecboleData(DataSettings):
    """RecBole atomic files: `.inter`, `.item` and, where there is one, `.user`."""

    format: Literal["recbole"]
    """Layout of the raw files: `recbole`, tab-separated with a header of `name:type`."""
    inter: str
    """Name of the `.inter` file with the fields `user_id`, `item_id` and, where known, `timestamp` in seconds."""
    item: str
    """Name of the `.item` file with the field `item_id`."""
    value: str | None = None
    """Field of the `.inter` file with the measured value, such as `rating`; `null` = events have no value."""
    event: str = "event"
    """Name for the type of all events, to which `preprocess.intensity` refers."""
    title: list[str] = Field(min_length=1)
    """Fields of the `.item` file that make an item's title, joined by a space."""
    text: list[str] = []
    """Fields of the `.item` file that make an item's longer text, joined by a space."""
    category: str | None = None
    """Field of the `.item` file with an item's category; `null` = items have none."""
    user: str | None = None
    """Name of the `.user` file with the field `user_id`; needed with `attributes`."""
    attributes: Attributes = []
    """Fields of the `.user` file that a report may slice by, such as `gender`."""

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
    """Columns of impressions; `shown`, `history` and either `clicked` or `labels` are lists."""

    user: str
    """Column with the id of the user."""
    shown: str
    """Column with the list of ids of the items that were shown."""
    impression: str | None = None
    """Column with the id of the impression; `null` = the number of the row."""
    time: str | None = None
    """Column with the time of the impression; `null` = unknown, which excludes splits by time."""
    clicked: str | None = None
    """Column with the list of ids that were clicked, each of them among `shown`."""
    labels: str | None = None
    """Column with a list of one number per shown item; above 0 means clicked."""
    history: str | None = None
    """Column with the list of ids read before the impression, oldest first."""
    value: str | None = None
    """Column with what was measured of the click, such as seconds read; `preprocess.intensity.values` maps it."""

    @model_validator(mode="after")
    def _one_answer(self) -> "ImpressionColumns":
        if (self.clicked is None) == (self.labels is None):
            raise ValueError("give clicked or labels")
        return self


class HistoryColumns(Section):
    """Columns of a table with one row per user; all but `user` are lists of equal length, oldest first."""

    user: str
    """Column with the id of the user."""
    items: str
    """Column with the list of ids of the items read."""
    times: str | None = None
    """Column with the list of the times of reading, in `time_unit` or as timestamps."""
    values: str | None = None
    """Column with the list of measured values, such as seconds read, mapped like the value of a click."""


class HistoryTable(Section):
    """What users had read before the impressions of each split."""

    train: list[str] = Field(min_length=1)
    """Files with the histories before the impressions of train."""
    valid: list[str] = []
    """Files with the histories before the impressions of valid."""
    test: list[str] = []
    """Files with the histories before the impressions of test."""
    columns: HistoryColumns
    """Which column means what."""


class ImpressionsData(DataSettings):
    """Impressions with list columns, Parquet or JSON lines, such as the layout of EB-NeRD."""

    format: Literal["impressions"]
    """Layout of the raw files: `impressions`, one row per impression with lists of items."""
    train: list[str] = Field(min_length=1)
    """Files of the train split, as names or patterns."""
    valid: list[str] = []
    """Files of the valid split, as names or patterns. Without any, `preprocess.split` takes valid from train: by
    `valid_from`, else a share."""
    test: list[str] = []
    """Files of the test split, as names or patterns. Without any the model can be trained, but nothing can be
    evaluated."""
    columns: ImpressionColumns
    """Which column of the impressions means what."""
    time_unit: Literal["s", "ms", "us"] = "s"
    """Unit of numeric times since 1970: `s` seconds, `ms` milliseconds, `us` microseconds."""
    history: HistoryTable | None = None
    """Tables of histories, where these are not a column of the impressions; `null` = there are none."""
    items: ItemTable | None = None
    """The table of items; `null` = every id met is an item without text, category or price."""
    users: UserTable | None = None
    """A table of user attributes that a report may slice by; `null` = there is none."""

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
    """A table of plots or overviews that is joined to the films as their text."""

    file: str
    """Name of the table, such as `movies_with_overview.csv`."""
    key: str = "movieId"
    """Column of the table that identifies the film: `movieId`, or a column of the links file such as `tmdbId`."""
    column: str = "overview"
    """Column of the table with the text."""


class MovielensUsers(Section):
    """User attributes: `users.dat`, or a table with a header and a column `userId`."""

    file: str = "users.dat"
    """Name of the file. One that does not end in `.csv` has gender, age, occupation and zip_code, separated by `::`."""
    attributes: SomeAttributes
    """Columns that a report may slice by, such as `gender` and `age`."""


class MovielensData(DataSettings):
    """MovieLens: `.csv` files with headers, or files separated by `::`. Events are of type `rating`."""

    format: Literal["movielens"]
    """Layout of the raw files: `movielens`. The first genre becomes the category, the year in the title the date."""
    ratings: str = "ratings.csv"
    """Name of the file of ratings."""
    movies: str = "movies.csv"
    """Name of the file of films with title and genres."""
    links: str | None = None
    """Name of the file that joins `movieId` to other catalogues; needed where `plots.key` is not `movieId`."""
    plots: PlotTable | None = None
    """A table of plots to join to the films; `null` = a film's text is its genres."""
    users: MovielensUsers | None = None
    """User attributes that a report may slice by; `null` = there are none."""

    @property
    def names(self) -> list[str]:
        """Names and patterns of all raw files, relative to `root`."""
        joined = [table.file for table in (self.plots, self.users) if table]
        return [self.ratings, self.movies, *filter(None, [self.links]), *joined]


class AmazonData(DataSettings):
    """Amazon reviews and metadata, JSON lines of 2018 or 2023. Events are of type `review`, values are stars."""

    format: Literal["amazon"]
    """Layout of the raw files: `amazon`, JSON lines as they are distributed."""
    reviews: list[str] = Field(min_length=1)
    """Names or patterns of the files of reviews; `.gz` is read as well."""
    metadata: list[str] = Field(min_length=1)
    """Names or patterns of the files of metadata; `.gz` is read as well."""

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
