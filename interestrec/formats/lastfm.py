"""Last.fm in both published editions: plays with times of 1,000 users, or counts of plays of 360,000 (Celma 2010)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from interestrec.columns.table_settings import EventColumns, EventTable, ItemColumns, ItemTable
from interestrec.formats.events import read_tables
from interestrec.formats.table_data import LogTables, TableData, user_table
from interestrec.rawfiles.raw_log import RawLog
from interestrec.rawfiles.text_layout import TextLayout

Profile = Literal["gender", "age", "country", "registered"]
_FIELDS: tuple[Profile, ...] = ("gender", "age", "country", "registered")  # of a profile, from its second column on
_NO_HEADER = TextLayout(delimiter="\t", quote="none", header=False)
_HEADER = TextLayout(delimiter="\t", quote="none")

# Columns of the files of plays by number. Edition 1K: user, time, id and name of the artist, id and name of the track;
# 360K: user, id and name of the artist, count. Ids of artists are missing in places, so names identify them.
_ARTISTS_1K = ItemColumns(item="4", title=["4"])
_TRACKS_1K = ItemColumns(item="5", title=["6", "4"], category="3")
_ARTISTS_360K = ItemColumns(item="3", title=["3"])


class LastfmData(TableData):
    """Last.fm: events are plays with times (1K), or one event per user and artist with the count of plays (360K)."""

    format: Literal["lastfm"]
    """Layout of the raw files: `lastfm`. Events are of type `play`."""
    edition: Literal["1K", "360K"] = "1K"
    """Which edition: `1K` has plays with times, `360K` counts of plays, which are the values of its events."""
    items: Literal["artists", "tracks"] = "artists"
    """What an item is: `artists`, or `tracks`, only in 1K, where plays of tracks without an id are left out and
    counted."""
    plays: str | None = None
    """Name of the file of plays; `null` = the published one, such as `usersha1-artmbid-artname-plays.tsv`."""
    profiles: str | None = None
    """Name of the file of users; `null` = the published one, such as `userid-profile.tsv`. It is read where
    `attributes` names some of its columns."""
    attributes: list[Profile] = Field(default=[])
    """Attributes of users that a report may slice by: `gender`, `age`, `country`, `registered`."""

    @model_validator(mode="after")
    def _check_items(self) -> LastfmData:
        if self.edition == "360K" and self.items == "tracks":
            raise ValueError("edition 360K has no tracks; write items: artists")
        return self

    @property
    def tables(self) -> LogTables:
        """The tables and the meaning of their columns."""
        if self.edition == "1K":
            files = [self.plays or "userid-timestamp-artid-artname-traid-traname.tsv"]
            columns = _TRACKS_1K if self.items == "tracks" else _ARTISTS_1K
            plays = EventColumns(user="1", time="2", item=columns.item)
            profiles = self.profiles or "userid-profile.tsv"
            attributes = list[str](self.attributes)
            users = user_table(profiles, "#id", attributes, _HEADER)
        else:
            files = [self.plays or "usersha1-artmbid-artname-plays.tsv"]
            columns = _ARTISTS_360K
            plays = EventColumns(user="1", item=columns.item, value="4")
            profiles = self.profiles or "usersha1-profile.tsv"
            attributes = [str(_FIELDS.index(name) + 2) for name in self.attributes]
            users = user_table(profiles, "1", attributes, _NO_HEADER)
        layout = _NO_HEADER.model_dump()
        # Names of artists are ids, and there are artists called None and NA.
        events = EventTable(files=files, event="play", columns=plays, null_values=[], **layout)
        return LogTables([events], [ItemTable(files=files, columns=columns, null_values=[], **layout)], users)


def read(log: RawLog, data: LastfmData) -> None:
    """Fill `items`, `events` and `users`.

    Raises:
        InputMissingError: a file is missing.
        DataError: a column is missing, or more malformed rows than tolerated.
    """
    read_tables(log, data, data.tables)
    log.user_attributes = list(data.attributes)  # columns of a file without a header are numbers
    log.settle_bad_rows(data.max_bad_rows)
