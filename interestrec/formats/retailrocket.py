"""Retailrocket: views, carts and transactions with item properties over time; texts are hashed words."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from interestrec.columns.landed_tables import LandedTable
from interestrec.columns.property_settings import PropertyColumns
from interestrec.columns.table_settings import EventColumns, EventTable, ItemColumns, ItemTable, NotationSettings
from interestrec.formats.events import read_tables
from interestrec.formats.item_properties import describe_items, read_properties
from interestrec.formats.table_data import LogTables, TableData
from interestrec.rawfiles.file_patterns import file_under
from interestrec.rawfiles.raw_log import RawLog, sql_string
from interestrec.rawfiles.raw_tables import land

_CATEGORY = "categoryid"
_MOST_LEVELS = 20  # of the tree of categories; ends a cycle


class RetailrocketData(TableData):
    """Retailrocket: views, carts and transactions; an item is what its properties were before an event."""

    format: Literal["retailrocket"]
    """Layout of the raw files: `retailrocket`. Events are of type `view`, `addtocart` and `transaction`."""
    events: str = "events.csv"
    """Name of the file of events."""
    properties: list[str] = Field(default=["item_properties_part1.csv", "item_properties_part2.csv"], min_length=1)
    """Names or patterns of the files of item properties over time."""
    category_tree: str | None = "category_tree.csv"
    """Name of the file with the parent of each category, which makes the category a path; `null` = its number only."""
    title: list[str] = Field(default=["888"], min_length=1)
    """Properties that make an item's title, by default the most frequent one. Their values are numbers that stand for
    words, so that only the equality of words means something."""
    text: list[str] = []
    """Properties that make an item's longer text."""
    price: str | None = "790"
    """Property that is the price: `790` is taken for it, although the publishers name none; `null` = items have no
    price."""

    @property
    def tables(self) -> LogTables:
        """The tables and the meaning of their columns."""
        columns = EventColumns(user="visitorid", item="itemid", time="timestamp", event="event")
        items = ItemTable(
            files=self.properties,
            columns=ItemColumns(item="itemid", title=self.title, text=self.text, category=_CATEGORY, price=self.price),
            properties=PropertyColumns(name="property", value="value", time="timestamp"),
            time_unit="ms",
        )
        return LogTables([EventTable(files=[self.events], columns=columns, time_unit="ms")], [items])

    @property
    def names(self) -> list[str]:
        """Names and patterns of all raw files, relative to `root`."""
        return [*self.tables.names, *([self.category_tree] if self.category_tree else [])]


def read(log: RawLog, data: RetailrocketData) -> None:
    """Fill `items` and `events`.

    Raises:
        InputMissingError: a file is missing.
        DataError: a column is missing, or more malformed rows than tolerated.
    """
    tables = data.tables
    [items] = tables.items
    assert items.properties is not None
    read_tables(log, data, LogTables(tables.events, []))
    properties = read_properties(log, data, items, items.properties)
    if data.price is not None:  # a number is written as n12.000, beside the hashes of words
        log.db.execute(
            f"UPDATE {properties} SET value = value[2:] "
            f"WHERE name = {sql_string(data.price)} AND regexp_full_match(value, 'n-?[0-9.]+')"
        )
    if data.category_tree is not None:
        paths = _category_paths(log, file_under(data.root, data.category_tree))
        log.db.execute("CREATE TEMP TABLE category_paths (category VARCHAR, path VARCHAR)")
        if paths:
            log.db.executemany("INSERT INTO category_paths VALUES (?, ?)", list(paths.items()))
        log.db.execute(
            f"UPDATE {properties} p SET value = path FROM category_paths c "
            f"WHERE p.name = '{_CATEGORY}' AND p.value = c.category"
        )
    describe_items(log, items, properties)
    log.settle_bad_rows(data.max_bad_rows)


def _category_paths(log: RawLog, path: Path) -> dict[str, str]:
    """Return the path of each category, from the root of the tree, with levels separated by `/`."""
    parents: dict[str, str | None] = {}
    names = dict.fromkeys(("categoryid", "parentid"), "a column of Retailrocket")
    landed = land(log, path, names, auxiliary=True)
    if landed is not None:
        table = LandedTable(log, NotationSettings(), "data.category_tree", [landed])
        ids = [table.id(name).expression(landed.types[name]) for name in names]
        parents |= dict(log.sql(f"SELECT {', '.join(ids)} FROM {landed.relation} WHERE {ids[0]} IS NOT NULL"))
    paths = {}
    for category in parents:
        levels: list[str] = []
        current: str | None = category
        while current is not None and len(levels) < _MOST_LEVELS:
            levels.append(current)
            current = parents.get(current)
        paths[category] = "/".join(reversed(levels))
    return paths
