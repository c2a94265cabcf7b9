"""Row groups of a Parquet file, chosen by the least and the greatest values that its footer records of each."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow.parquet as pq


def ordered_groups(source: "pq.ParquetFile", group_by: str | None, containing: tuple[str, str] | None) -> list[int]:
    """Return the row groups to read; with `group_by`, equal values are adjacent, in order of first appearance.

    Args:
        group_by: string column.
        containing: string column and value; row groups whose statistics exclude the value are left out.
    """
    numbers = list(range(source.metadata.num_row_groups))
    if containing is not None:
        column, value = containing
        bounds = {number: _value_range(source, number, column) for number in numbers}
        numbers = [n for n in numbers if (limits := bounds[n]) is None or limits[0] <= value <= limits[1]]
    if group_by is None:
        return numbers
    first: dict[str, int] = {}
    value_of: dict[int, str] = {}
    for number in numbers:
        limits = _value_range(source, number, group_by)
        if limits is None or limits[0] != limits[1]:
            return numbers
        value_of[number] = limits[0]
        first.setdefault(limits[0], number)
    return sorted(numbers, key=lambda number: (first[value_of[number]], number))


def integer_bounds(source: "pq.ParquetFile", column: str) -> list[tuple[int, int] | None]:
    """Return the bounds of an integer or time column in each row group; None where they are not recorded.

    They are those of the values that are not null; times are in the unit of the column.
    """
    position = source.schema_arrow.names.index(column)
    groups = (source.metadata.row_group(number) for number in range(source.metadata.num_row_groups))
    recorded = [group.column(position).statistics for group in groups]
    return [(known.min_raw, known.max_raw) if known and known.has_min_max else None for known in recorded]


def _value_range(source: "pq.ParquetFile", row_group: int, column: str) -> tuple[str, str] | None:
    """Return minimum and maximum of a string column in a row group; None if the file has no statistics."""
    position = source.schema_arrow.names.index(column)
    statistics = source.metadata.row_group(row_group).column(position).statistics
    return None if statistics is None else (statistics.min, statistics.max)
