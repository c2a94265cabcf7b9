"""Columns of items that the configuration keeps (`data.items.attributes`), as typed columns of the corpus."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.columns.whole_columns import is_clear
from interestrec.corpus.numbering import own_names
from interestrec.corpus.text_cleaning import clean_words
from interestrec.corpus.user_attributes import attribute_type
from interestrec.rawfiles.raw_log import RawLog

TAGS, VECTOR = pa.list_(pa.string()), pa.list_(pa.float32())
_IS_LIST = "starts_with(v, '[') AND json_valid(v)"  # a text such as `[Untitled]` is none
_ARE_FINITE = "list_count(numbers) = len(numbers) AND coalesce(isfinite(list_sum(numbers)), false)"


class _ListForm(NamedTuple):
    """Whether the values of an attribute are lists, and of how many numbers if they are vectors."""

    is_list: bool
    numbers: int = 0


def with_item_attributes(log: RawLog, items: pa.Table) -> pa.Table:
    """Return the items with the attributes that the log has, as nullable columns; what is left out is counted.

    An attribute is, over all rows of the table of items, also of items without events, the first of these that fits:

    - list<float32> where its values are lists of equally many numbers, more than one; up to a tenth as many other
      values are left out and counted;
    - list<string> where a value is a list; single values are lists of one;
    - float64 where every value is a number;
    - string.

    Args:
        items: result of `numbering.item_table`, in the order of `item_numbers`.
    """
    for position, (name, column) in enumerate(zip(log.item_attributes, own_names(log), strict=True), 1):
        form = _list_form(log, position)
        if form.numbers:
            values = _vectors(log, column, name, form.numbers)
        elif form.is_list:
            split = f"CASE WHEN {_IS_LIST} THEN CAST(CAST(v AS JSON) AS VARCHAR[]) WHEN v IS NOT NULL THEN [v] END"
            values = _clean_lists(_selected(log, column, split))
        elif attribute_type(log, position, "items") == "DOUBLE":
            values = _selected(log, column, "CAST(v AS DOUBLE)")
        else:
            values = clean_words(_selected(log, column, "v"))
        items = items.append_column(name, values)
    return items


def _list_form(log: RawLog, position: int) -> _ListForm:
    rows = log.sql(
        f"""
        WITH
            given AS (SELECT attributes[{position}] AS v FROM items),
            read AS (SELECT {_IS_LIST} AS is_list, try_cast(v AS FLOAT[]) AS numbers FROM given WHERE v IS NOT NULL)
        SELECT is_list, CASE WHEN is_list AND {_ARE_FINITE} THEN len(numbers) ELSE 0 END AS length, count(*) AS n
        FROM read GROUP BY ALL ORDER BY n DESC, length DESC
        """
    )
    if not any(is_list for is_list, _, _ in rows):
        return _ListForm(False)
    _, length, most = rows[0]
    is_vector = length > 1 and is_clear(most, sum(n for _, _, n in rows) - most)
    return _ListForm(True, length if is_vector else 0)


def _vectors(log: RawLog, column: str, name: str, length: int) -> pa.ChunkedArray:
    """Return the values with the right number of numbers as list<float32>, null elsewhere; counts the others."""
    numbers = f"(SELECT item, v, try_cast(v AS FLOAT[]) AS numbers FROM ({_own(column)}))"
    query = (
        f"SELECT CASE WHEN {_IS_LIST} AND len(numbers) = {length} AND {_ARE_FINITE} THEN numbers END AS value "
        f"FROM {numbers} ORDER BY item"
    )
    values = log.table(query)["value"]
    rows, given = len(values), log.number(f"SELECT count(v) FROM ({_own(column)})")
    others = given - (rows - values.null_count)
    if others:
        reason = (
            f"{others} values of the attribute {name} are not lists of {length} numbers: left empty; every item stays"
        )
        log.quality.count("item vectors of another length", rows, rows, reason)
    return values.cast(VECTOR)


def _own(column: str) -> str:
    return f"SELECT item, {column} AS v FROM item_numbers JOIN described USING (code)"


def _selected(log: RawLog, column: str, expression: str) -> pa.ChunkedArray:
    """Return SQL over `v`, the attribute's text of each item, in the order of items."""
    return log.table(f"SELECT {expression} AS value FROM ({_own(column)}) ORDER BY item")["value"]


def _clean_lists(lists: pa.ChunkedArray) -> pa.Array:
    """Return lists of words normalised as titles are, without empty ones; null where nothing is left."""
    joined = lists.combine_chunks()
    words = clean_words(pc.list_flatten(joined))
    kept = words.is_valid().to_numpy(zero_copy_only=False)
    owner = pc.list_parent_indices(joined).to_numpy()[kept]
    counts = np.bincount(owner, minlength=len(joined))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), words.drop_null(), mask=pa.array(counts == 0)).cast(TAGS)
