"""The keys of the `data` section that all raw formats share; each reader's module defines the keys of its format."""

import re
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field

from interestrec.core.errors import ConfigError
from interestrec.core.section import CountOrZero, Fraction, Section
from interestrec.rawfiles.file_patterns import expand_home


def _local_directory(root: Path) -> Path:
    if re.match(r"[A-Za-z0-9+.-]{2,}:/", str(root)):  # what a path leaves of a URL
        raise ValueError("write a directory; files elsewhere are named by their whole URL, such as s3://bucket/day.csv")
    return expand_home(root)


class KeptColumns(NamedTuple):
    """Further columns that the corpus keeps with its items or users."""

    key: str | None  # configuration key that lists them; None = the format keeps none
    names: list[str]


class DataSettings(Section):
    """Keys that all formats share; each format adds a key `format` with its name as the only choice."""

    if TYPE_CHECKING:
        format: str

    root: Annotated[Path, AfterValidator(_local_directory)] = Path()
    """Directory that all names of data files are relative to; itself relative to the working directory, or to the home
    directory where it begins with `~`."""
    relevant_at: Annotated[float, Field(gt=0, le=1)] | None = None
    """Least intensity, above 0 and up to 1, that counts as relevant in ranking metrics and as a positive event for the
    scorers. Required where values are mapped to intensities; without it everything above 0 is relevant."""
    max_bad_rows: CountOrZero = 0
    """Malformed rows that may be left out, counted in `quality.json`, before `preprocess` fails. Raise it only after a
    look at the rows that the error names."""
    max_items_without_text: Fraction = 0.05
    """Share of items that may lack both title and text; above it `preprocess` fails. 1 allows a catalogue without any
    text. Texts that the encoder's tokenizer does not know are not counted here; a warning tells of them."""

    @property
    @abstractmethod
    def names(self) -> list[str]:
        """Names and patterns of all raw files, relative to `root`."""

    def with_new_files(self, events: Path, items: Path | None) -> Self:
        """Return the settings for files that came after those of the configuration.

        Args:
            events: a directory with files of the same names, or a file of events, or of impressions with them.
            items: file of the items; None = the configured one.

        Raises:
            ConfigError: events of this format are not in a file of their own.
        """
        if events.is_dir():
            if items is not None:
                raise ConfigError("--items does not go with a directory, whose files have the configured names")
            return self.model_copy(update={"root": events})
        keys = self.files_of_update(events.absolute(), items.absolute() if items else None)
        if keys is None:
            raise ConfigError(
                f"the format {self.format} takes new events as a directory with files of the configured names, and "
                f"{events} is none"
            )
        return self.model_copy(update=keys)

    def files_of_update(self, events: Path, items: Path | None) -> dict[str, Any] | None:
        """Return the keys that name a file of new events, and of items, instead of the configured files.

        None = this format has no single file of events.
        """
        return None

    def kept_columns(self, table: Literal["items", "users"]) -> KeptColumns:
        """Return the columns that the corpus keeps with its items or users beside those that every corpus has.

        A format lists them in the section of the table (`items.attributes`) or, where it has none, in a key of its own.
        """
        own_key = {"items": "item_attributes", "users": "attributes"}[table]
        keys, section = type(self).model_fields, getattr(self, table, None)
        if own_key in keys:
            return KeptColumns(f"data.{own_key}", list(getattr(self, own_key)))
        if table in keys and (section is None or hasattr(section, "attributes")):
            return KeptColumns(f"data.{table}.attributes", list(section.attributes) if section is not None else [])
        return KeptColumns(None, [])
