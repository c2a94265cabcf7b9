"""The contract of a raw format: a section of the settings and the function that reads its files.

To add a format, write one module with both and an entry in `READERS` of `readers.py`. The module is imported with every
configuration, so it must import heavy libraries from `core.deferred_import`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from interestrec.formats.data_settings import DataSettings
from interestrec.rawfiles.raw_log import RawLog

SectionT = TypeVar("SectionT", bound=DataSettings, contravariant=True)


class ReadFunction(Protocol[SectionT]):
    """Reads the raw files of one format into a log."""

    def __call__(self, log: RawLog, data: SectionT, /) -> None:
        """Hand over every row of the files that `data` names.

        A reader
        - opens files by `scan`, `scan_fields` or `scan_objects` of `raw_tables`, block after block: they fill the
          relation `raw` with a block and the number `_row` of each row, count what is read and refuse lines that are
          not rows;
        - refuses malformed rows and leaves out others by `row_filters.leave_out`, which returns the relation of the
          rest. The reasons are plain sentences; raw values go into `value`, because they may be secret ids;
        - hands over the rest as named columns: `log.add_items`, `log.add_events`, `log.add_users`, and
          `impression_lists.add_impressions` after `code_items`. The docstring of `raw_log` describes the tables;
        - calls `log.settle_bad_rows(data.max_bad_rows)` once all rows are read.

        Every row is accounted for: `log.rows_read` = `log.rows_kept` + `log.rows_left_out` + rows of `bad_rows`.

        Args:
            log: an empty log. Where `log.sample` is set, the scans read only that many rows per file.
            data: the section of the settings; names of files are relative to `data.root`.

        Raises:
            InputMissingError: a file is missing.
            DataError: a column is missing, or more rows are malformed than `data.max_bad_rows`.
        """


@dataclass(frozen=True)
class Reader:
    """An entry of the registry of formats."""

    section: type[DataSettings]  # the type of its key `format` is the Literal of the format's name
    read: ReadFunction[Any]
