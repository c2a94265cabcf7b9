"""The keys of the `data` section that all raw formats share; each reader's module defines the keys of its format."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from interestrec.core.section import CountOrZero, Fraction, Section
from interestrec.rawfiles.file_patterns import expand_home


def _local_directory(root: Path) -> Path:
    if re.match(r"[A-Za-z0-9+.-]{2,}:/", str(root)):  # what a path leaves of a URL
        raise ValueError("write a directory; files elsewhere are named by their whole URL, such as s3://bucket/day.csv")
    return expand_home(root)


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
    def names(self) -> list[str]:
        """Names and patterns of all raw files, relative to `root`."""
        raise NotImplementedError
