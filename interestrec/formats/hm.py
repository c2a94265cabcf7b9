"""H&M Personalized Fashion Recommendations: purchases, articles and customers as CSV."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from interestrec.columns.id_notations import IdSpelling
from interestrec.columns.table_settings import (
    Attributes,
    EventColumns,
    EventTable,
    ItemColumns,
    ItemTable,
)
from interestrec.formats.table_data import LogTables, TableData, user_table


class HmData(TableData):
    """H&M: events are purchases by day; items are articles, whose ids have leading zeros."""

    format: Literal["hm"]
    """Layout of the raw files: `hm`."""
    ids: IdSpelling = IdSpelling(zero_pad=10)
    """How the ids of articles are spelled in all tables: with ten digits, also where a copy lost the leading zeros."""
    transactions: list[str] = Field(default=["transactions_train.csv"], min_length=1)
    """Names or patterns of the files of transactions: events of type `purchase`."""
    articles: str = "articles.csv"
    """Name of the file of articles."""
    title: list[str] = Field(default=["prod_name", "product_type_name", "colour_group_name"], min_length=1)
    """Columns of the articles that make an item's title, joined by a space."""
    text: list[str] = ["detail_desc"]
    """Columns of the articles that make an item's longer text, joined by a space."""
    category: str = "product_group_name"
    """Column of the articles with an item's category."""
    customers: str = "customers.csv"
    """Name of the file of customers; read where `attributes` names some of its columns."""
    attributes: Attributes = []
    """Columns of the customers that a report may slice by, such as `age`."""

    @property
    def tables(self) -> LogTables:
        """The tables and the meaning of their columns."""
        purchases = EventColumns(user="customer_id", item="article_id", time="t_dat")
        articles = ItemColumns(item="article_id", title=self.title, text=self.text, category=self.category)
        return LogTables(
            [EventTable(files=self.transactions, event="purchase", columns=purchases)],
            [ItemTable(files=[self.articles], columns=articles)],
            user_table(self.customers, "customer_id", self.attributes),
        )
