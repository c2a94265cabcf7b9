"""The Yelp Open Dataset: businesses, reviews, tips and users as JSON lines."""

from __future__ import annotations

from typing import Literal

from interestrec.columns.table_settings import (
    Attributes,
    EventColumns,
    EventTable,
    ItemColumns,
    ItemTable,
)
from interestrec.formats.table_data import LogTables, TableData, user_table


class YelpData(TableData):
    """Yelp: events are reviews with stars as their values, and tips; items are businesses."""

    format: Literal["yelp"]
    """Layout of the raw files: `yelp`. An item's title is the name of the business, its text the categories."""
    reviews: str = "yelp_academic_dataset_review.json"
    """Name of the file of reviews, events of type `review` with stars as their values."""
    businesses: str = "yelp_academic_dataset_business.json"
    """Name of the file of businesses."""
    tips: str | None = None
    """Name of the file of tips, such as `yelp_academic_dataset_tip.json`: events of type `tip`; `null` = not read."""
    category: str = "city"
    """Field of a business that is its category. Yelp's own `categories` have no order; they are the text."""
    users: str = "yelp_academic_dataset_user.json"
    """Name of the file of users; read where `attributes` names some of its fields."""
    attributes: Attributes = []
    """Fields of the users that a report may slice by, such as `fans`. They are as of the day of the export."""

    @property
    def tables(self) -> LogTables:
        """The tables and the meaning of their columns."""
        ids = {"user": "user_id", "item": "business_id", "time": "date"}
        events = [EventTable(files=[self.reviews], event="review", columns=EventColumns(**ids, value="stars"))]
        if self.tips is not None:
            events.append(EventTable(files=[self.tips], event="tip", columns=EventColumns(**ids)))
        columns = ItemColumns(item="business_id", title=["name"], text=["categories"], category=self.category)
        return LogTables(
            events,
            [ItemTable(files=[self.businesses], columns=columns)],
            user_table(self.users, "user_id", self.attributes),
        )
