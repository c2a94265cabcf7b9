"""RecBole atomic files: `.inter`, `.item`, `.user`, tab-separated with a header of `name:type` (Zhao et al. 2021)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from interestrec.columns.epoch_numbers import NumberedTime
from interestrec.columns.id_notations import AS_READ, IdSpelling, decide_id
from interestrec.columns.number_notations import NumberNotation
from interestrec.columns.row_checks import RowCheck, leave_out
from interestrec.columns.table_settings import Attributes, ItemAttributeNames
from interestrec.columns.text_values import list_expression
from interestrec.columns.whole_columns import block_column
from interestrec.core.errors import VALUE
from interestrec.formats.spelled_data import SpelledData
from interestrec.rawfiles.file_patterns import file_under
from interestrec.rawfiles.raw_log import RawLog, sql_string
from interestrec.rawfiles.raw_tables import require_column, scan_fields

_SECONDS = NumberedTime("s", is_given=True)
_TIME = "timestamp"  # RecBole's name for the field with the time


class RecboleData(SpelledData):
    """RecBole atomic files: `.inter`, `.item` and, where there is one, `.user`."""

    format: Literal["recbole"]
    """Layout of the raw files: `recbole`, tab-separated with a header of `name:type`."""
    inter: str
    """Name of the `.inter` file with the fields of user, item and, where known, time in seconds."""
    item: str
    """Name of the `.item` file."""
    user_field: str = "user_id"
    """Field with the id of the user, in the `.inter` and `.user` files."""
    item_field: str = "item_id"
    """Field with the id of the item, such as `artist_id` or `product_id`, in the `.inter` and `.item` files."""
    time_field: str | None = None
    """Field with the time; `null` = `timestamp`, where the `.inter` file has it."""
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
    item_attributes: ItemAttributeNames = []
    """Further fields of the `.item` file to keep with the items, which `items.fields` can use."""
    user: str | None = None
    """Name of the `.user` file; needed with `attributes`."""
    attributes: Attributes = []
    """Fields of the `.user` file that a report may slice by, such as `gender`."""

    @model_validator(mode="after")
    def _check_users(self) -> RecboleData:
        if (self.user is None) != (not self.attributes):
            raise ValueError("user (the file) and attributes (its fields) belong together; give both or neither")
        return self

    @property
    def names(self) -> list[str]:
        """Names and patterns of all raw files, relative to `root`."""
        return [self.inter, self.item, *([self.user] if self.user else [])]

    def files_of_update(self, events: Path, items: Path | None) -> dict[str, Any]:
        """See DataSettings."""
        return {"inter": str(events), **({"item": str(items)} if items else {})}


def read(log: RawLog, data: RecboleData) -> None:
    """Fill `items`, `events` and, where the configuration names a file of users, `users`.

    Raises:
        InputMissingError: a file is missing.
        DataError: a field is missing, or more malformed rows than tolerated.
    """
    _read_items(log, file_under(data.root, data.item), data)
    _read_events(log, file_under(data.root, data.inter), data)
    if data.user is not None:
        _read_users(log, file_under(data.root, data.user), data)
    log.settle_bad_rows(data.max_bad_rows)


def _fields(log: RawLog, path: Path) -> Iterator[list[str]]:
    """Fill the relation `raw` block after block; yields the names of the fields without their types."""
    for columns in scan_fields(log, path, "\t", "tab-separated fields", header=lambda name: name.partition(":")[0]):
        yield list(columns)


def _read_items(log: RawLog, path: Path, data: RecboleData) -> None:
    for fields in _fields(log, path):
        require_column(fields, data.item_field, path, "data.item_field")
        key = _id(log, data.item_field, data.ids)
        title = [_nonempty_text(require_column(fields, name, path, "data.title")) for name in data.title]
        text = [_nonempty_text(require_column(fields, name, path, "data.text")) for name in data.text]
        category = (
            _nonempty_text(require_column(fields, data.category, path, "data.category")) if data.category else "NULL"
        )
        for name in data.item_attributes:
            require_column(fields, name, path, "data.item_attributes")
        attributes = {
            name: f"coalesce({list_expression({name: 'VARCHAR'}, name)}, {_id(log, name)})"
            for name in data.item_attributes
        }
        log.count_without_id("item", "raw", f"{key} IS NULL")
        log.add_items(
            f"(FROM raw WHERE {key} IS NOT NULL)",
            item_id=key,
            title=f"concat_ws(' ', {', '.join(title)})",
            text=f"concat_ws(' ', {', '.join(text)})" if text else "''",
            category=category,
            attributes=attributes,
        )


def _read_users(log: RawLog, path: Path, data: RecboleData) -> None:
    for fields in _fields(log, path):
        require_column(fields, data.user_field, path, "data.user_field")
        for name in data.attributes:
            require_column(fields, name, path, "data.attributes")
        attributes = {name: _id(log, name) for name in data.attributes}
        log.add_users("raw", user=_id(log, data.user_field, data.user_ids), attributes=attributes)


def _read_events(log: RawLog, path: Path, data: RecboleData) -> None:
    for fields in _fields(log, path):
        for key in ("user_field", "item_field", "time_field"):
            if (name := getattr(data, key)) is not None:
                require_column(fields, name, path, f"data.{key}")
        user, item = _id(log, data.user_field, data.user_ids), _id(log, data.item_field, data.ids)
        checks = [RowCheck("", f"{user} IS NULL OR {item} IS NULL", "user or item is empty")]
        time, number = "CAST(NULL AS TIMESTAMP)", "CAST(NULL AS DOUBLE)"
        time_field = data.time_field or (_TIME if _TIME in fields else None)
        if time_field is not None:
            stamp = block_column(log, time_field).text("VARCHAR")
            time = _SECONDS.expression(stamp, "VARCHAR")
            seconds = f"the time '{VALUE}' is not a number of seconds between 1900 and 2200"
            checks.append(RowCheck("", f"{stamp} IS NOT NULL AND ({time}) IS NULL", seconds, stamp))
        if data.value is not None:
            require_column(fields, data.value, path, "data.value")
            notation = NumberNotation(block_column(log, data.value))
            number = notation.expression("VARCHAR")
            raw = notation.column.text("VARCHAR")
            checks.append(RowCheck("", notation.unreadable("VARCHAR"), f"the value '{VALUE}' is not a number", raw))
        rows = leave_out(log, checks)
        log.add_events(rows, user=user, item=item, time=time, event=sql_string(data.event), value=number)


def _id(log: RawLog, name: str, spelling: IdSpelling = AS_READ) -> str:
    """Return the SQL of a field as an id, null where it is empty."""
    return decide_id(block_column(log, name), spelling).expression("VARCHAR")


def _nonempty_text(column: str) -> str:
    """Return the SQL of a field's trimmed text, null where it is empty."""
    return f"nullif(trim({column}), '')"
