"""How a text file of a table is laid out: the keys that say what its suffix does not."""

from __future__ import annotations

import codecs
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from interestrec.core.section import Section

NO_QUOTES = "none"
AUTOMATIC = "auto"


def _check_encoding(name: str) -> str:
    try:
        if not codecs.lookup(name)._is_text_encoding:
            raise LookupError
        codecs.getincrementaldecoder(name)().decode("a\n".encode(name), True)
    except (LookupError, UnicodeError, ValueError):
        examples = "utf-8, latin-1, cp1252, utf-16, shift_jis, gb18030"
        raise ValueError(f"'{name}' is no encoding of text; write one such as {examples}") from None
    return name


def _check_quote(text: str) -> str:
    if text not in (AUTOMATIC, NO_QUOTES) and (len(text) != 1 or text.isalnum() or text.isspace()):
        raise ValueError(f"write auto, none or the character that quotes, such as '\"'; not {text!r}")
    return text


Mark = Annotated[str, Field(min_length=1, max_length=1)]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str | int) else value


Name = Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)]


class TextLayout(Section):
    """The layout of the files of one table."""

    delimiter: Mark | None = None
    """Character that separates the columns of a text file, where the suffix does not tell; `null` = comma in `.csv`,
    tab in `.tsv`."""
    quote: Annotated[str, AfterValidator(_check_quote)] = AUTOMATIC
    """Character that encloses fields with delimiters or line breaks, `none`, or `auto`: `"`, except where it stands
    within a field or would join lines that are rows of their own. Tables separated by tabs and `.dat` files have no
    quotes unless the file shows that it uses them."""
    escape: Mark | None = None
    r"""Character that makes the next quote, delimiter, line break or itself ordinary text, such as `\`; `null` = a
    quote within quotes is doubled, and `\"` is understood where doubling does not explain the row."""
    encoding: Annotated[str, AfterValidator(_check_encoding)] | None = None
    """Encoding of a text file, such as `latin-1`, `cp1252` or `utf-16`; `null` = UTF-8, or what a byte-order mark
    says."""
    header: bool = True
    """Whether the first row of a delimited file has the names of the columns. With `false` the columns are named by
    their numbers from 1."""
    unnest: Annotated[list[Name], BeforeValidator(_as_list, json_schema_input_type=Name | list[Name])] = []
    """Column, or columns of equal length, with a list whose every entry is a row, as where a line is a session with its
    events. Fields of entries are columns such as `events.item`; entries without fields have the list's name. The other
    columns repeat. In text a list is `[1, 2]`; see `unnest_separator`."""
    unnest_separator: Annotated[str, Field(min_length=1)] | None = None
    """Text between the entries of a list in a column of text, such as a blank; `null` = the list is in brackets."""


BY_SUFFIX = TextLayout()  # a layout that the suffix of a file determines
