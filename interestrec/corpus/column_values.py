"""Values of a column of the corpus as a field of the configuration reads them."""

import numpy as np
import pyarrow as pa

from interestrec.core.errors import ConfigError
from interestrec.corpus.own_fields import OwnField


def words_of(field: OwnField, column: pa.ChunkedArray) -> list[list[str]]:
    """Return the word of each row, a list without or with one; a number is a word such as `12` or `12.5`.

    Raises:
        ConfigError: the column holds lists.
    """
    if pa.types.is_list(column.type):
        raise _unfit(field, column, "single values")
    return [[] if value is None else [_word(value)] for value in column.to_pylist()]


def tags_of(field: OwnField, column: pa.ChunkedArray) -> list[list[str]]:
    """Return the tags of each row: entries of its list, or the parts of its text by the field's separator.

    Raises:
        ConfigError: the column holds vectors.
    """
    if pa.types.is_list(column.type):
        if not pa.types.is_string(column.type.value_type):
            raise _unfit(field, column, "words or lists of words")
        return [value or [] for value in column.to_pylist()]
    words = words_of(field, column)
    if field.separator is None:
        return words
    parts = [[part.strip() for word in row for part in word.split(field.separator)] for row in words]
    return [[part for part in row if part] for row in parts]


def numbers_of(field: OwnField, column: pa.ChunkedArray) -> np.ndarray:
    """Return the number of each row, float64 [rows], NaN where it is missing.

    Raises:
        ConfigError: the column does not hold numbers.
    """
    if not pa.types.is_floating(column.type):
        raise _unfit(field, column, "numbers")
    return column.to_numpy().astype(np.float64)


def vectors_of(field: OwnField, column: pa.ChunkedArray, width: int | None = None) -> np.ndarray:
    """Return the vector of each row, float32 [rows, d], NaN where it is missing.

    Args:
        width: d that the vectors must have; None = any.

    Raises:
        ConfigError: the column does not hold vectors, or vectors of another width.
    """
    if not (pa.types.is_list(column.type) and pa.types.is_floating(column.type.value_type)):
        raise _unfit(field, column, "lists of equally many numbers")
    joined = column.combine_chunks()
    known = joined.is_valid().to_numpy(zero_copy_only=False)
    values = joined.flatten().to_numpy()
    found = len(values) // known.sum() if known.any() else width or 0
    if width is not None and found != width:
        raise ConfigError(
            f"items.fields: the vectors of '{field.source}' have {found} numbers, but those of the start model "
            f"{width}; train without --from"
        )
    vectors = np.full((len(joined), found), np.nan, np.float32)
    vectors[known] = values.reshape(-1, found) if found else 0.0
    return vectors


def _word(value: str | float) -> str:
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return value


def _unfit(field: OwnField, column: pa.ChunkedArray, needed: str) -> ConfigError:
    held, kind = "words", "category"
    if pa.types.is_floating(column.type):
        held, kind = "numbers", "number"
    elif pa.types.is_list(column.type):
        is_vector = pa.types.is_floating(column.type.value_type)
        held, kind = ("vectors", "vector") if is_vector else ("lists of words", "tags")
    return ConfigError(
        f"the field '{field.name}' is of kind {field.kind}, which needs {needed}, but '{field.source}' holds {held}; "
        f"write kind: {kind}"
    )
