"""KuaiRec: short videos with the share of each that was watched (Gao et al. 2022)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from interestrec.columns.table_settings import (
    Attributes,
    EventColumns,
    EventTable,
    ItemColumns,
    ItemTable,
)
from interestrec.formats.table_data import LogTables, TableData, user_table

_CAPTIONS = ItemColumns(
    item="video_id",
    title=["caption"],
    text=["topic_tag", "first_level_category_name", "second_level_category_name", "third_level_category_name"],
    category="first_level_category_name",
)
_TAGS = ItemColumns(item="video_id", title=["feat"])


class KuairecData(TableData):
    """KuaiRec: events are views with the watched share of the video as their values."""

    format: Literal["kuairec"]
    """Layout of the raw files: `kuairec`. Captions and categories are Chinese."""
    interactions: list[str] = Field(default=["big_matrix.csv"], min_length=1)
    """Names of the files of views, events of type `view` with `watch_ratio` as their values: `big_matrix.csv` is an
    ordinary log, in `small_matrix.csv` nearly every user watched every video."""
    captions: str | None = "kuairec_caption_category.csv"
    """Name of the file of captions and categories. `null` = the files are of an edition without it; the numbers of tags
    in `categories` are then the only text."""
    categories: str = "item_categories.csv"
    """Name of the file of tags, which are numbers; read where `captions` is `null`."""
    users: str = "user_features.csv"
    """Name of the file of users; read where `attributes` names some of its columns."""
    attributes: Attributes = []
    """Columns of the users that a report may slice by, such as `user_active_degree`."""

    @property
    def tables(self) -> LogTables:
        """The tables and the meaning of their columns."""
        # `time` is the clock of Beijing without a zone, `date` a number such as 20200705; `timestamp` is UTC.
        views = EventColumns(user="user_id", item="video_id", time="timestamp", value="watch_ratio")
        videos = (
            ItemTable(files=[self.categories], columns=_TAGS)
            if self.captions is None
            else ItemTable(files=[self.captions], columns=_CAPTIONS)
        )
        return LogTables(
            [EventTable(files=self.interactions, event="view", columns=views, time_unit="s")],
            [videos],
            user_table(self.users, "user_id", self.attributes),
        )
