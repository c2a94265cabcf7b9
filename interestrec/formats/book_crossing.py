"""Book-Crossing: books with ratings and implicit events, without times (Ziegler et al. 2005)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from interestrec.columns.table_settings import Attributes, EventColumns, EventTable, ItemColumns, ItemTable
from interestrec.formats.table_data import LogTables, TableData, user_table
from interestrec.rawfiles.text_layout import TextLayout

_PUBLISHED = TextLayout(delimiter=";", encoding="latin-1", quote='"', escape="\\")
_EVENT_TYPES = {"0": "implicit"} | {str(stars): "rating" for stars in range(1, 11)}


class BookCrossingData(TableData):
    """Book-Crossing: events are ratings from 1 to 10, and implicit ones, which the file writes as rating 0."""

    format: Literal["book_crossing"]
    """Layout of the raw files: `book_crossing`. Events are of type `rating` with a value, or `implicit`."""
    ratings: str = "BX-Book-Ratings.csv"
    """Name of the file of ratings."""
    books: str = "BX-Books.csv"
    """Name of the file of books; the title and the author make an item's title, the publisher is its category."""
    users: str = "BX-Users.csv"
    """Name of the file of users; read where `attributes` names some of its columns."""
    attributes: Attributes = []
    """Columns of the users that a report may slice by: `Age`, `Location`."""
    layout: TextLayout = Field(default=_PUBLISHED)
    """Layout of all three files: separated by semicolons, in Latin-1, with backslashes before quotes. For copies with
    commas in UTF-8 write `layout: {delimiter: ","}`."""

    @property
    def tables(self) -> LogTables:
        """The tables and the meaning of their columns."""
        layout = self.layout.model_dump()
        ratings = EventColumns(user="User-ID", item="ISBN", event="Book-Rating", value="Book-Rating")
        books = ItemColumns(item="ISBN", title=["Book-Title", "Book-Author"], category="Publisher")
        return LogTables(
            [EventTable(files=[self.ratings], columns=ratings, event_types=_EVENT_TYPES, **layout)],
            [ItemTable(files=[self.books], columns=books, **layout)],
            user_table(self.users, "User-ID", self.attributes, self.layout),
        )
