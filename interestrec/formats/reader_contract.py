"""What a format is made of: a section of the settings and the function that reads by it.

To add a format, write one module with both and an entry in `READERS` of `readers.py`. The module is imported with every
configuration, so that it takes heavy libraries from `core.deferred_import`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from interestrec.formats.data_settings import DataSettings
from interestrec.formats.raw_log import RawLog

SectionT = TypeVar("SectionT", bound=DataSettings, contravariant=True)


class ReadFunction(Protocol[SectionT]):
    """Reads the raw files of one format into a log."""

    def __call__(self, log: RawLog, data: SectionT, /) -> None:
        """Hand over every row of the files that `data` names.

        A reader
        - opens files by `scan`, `scan_fields` or `scan_objects` of `raw_tables`, block after block: they put a block
          into the relation `raw` with the number `_row` of each row, count what is read and refuse what is no row;
        - refuses malformed rows and leaves out others by `row_filters.leave_out`, which gives the relation of the rest.
          The reasons are plain sentences; what a file says goes into `value`, for it may be an id that is secret;
        - hands over the rest as named columns: `log.add_items`, `log.add_events`, `log.add_users`, and
          `impression_lists.add_impressions` after `code_items`. The docstring of `raw_log` tells what the tables hold;
        - calls `log.settle_bad_rows(data.max_bad_rows)` once all rows are read.

        Every row is accounted for: `log.rows_read` = `log.rows_kept` + `log.rows_left_out` + rows of `bad_rows`.

        Args:
            log: empty. Where it wants a sample of each file, the scans see to that.
            data: the section of the settings as it is; names of files are relative to `data.root`.

        Raises:
            InputMissingError: a file is missing.
            DataError: a column is missing, or more rows are malformed than `data.max_bad_rows`.
        """


@dataclass(frozen=True)
class Reader:
    """An entry of the registry of formats."""

    section: type[DataSettings]  # its key `format` is a Literal of the name
    read: ReadFunction[Any]
