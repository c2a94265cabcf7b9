"""How a text file of a table is laid out: the keys that say what its suffix does not."""

from typing import Annotated

from pydantic import Field

from interestrec.core.section import Section


class TextLayout(Section):
    """The layout of the text files of one table."""

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """Character that separates the columns of a text file, where the suffix does not tell; `null` = comma in `.csv`,
    tab in `.tsv`."""


BY_SUFFIX = TextLayout()  # a layout that the suffix of a file determines
