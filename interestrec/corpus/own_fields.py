"""Fields of items or users that learned vectors represent: settings that `items.fields` and `users.fields` share."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field

from interestrec.core.section import Section

ID = "id"  # name and kind of the field of an item or user itself


def _check_name(name: str) -> str:
    if not re.fullmatch(r"\w+", name):
        raise ValueError(f"'{name}' is not made of letters, digits and _ alone; name the column under `column` instead")
    return name


FieldName = Annotated[str, AfterValidator(_check_name)]


class OwnField(Section):
    """A field that reads a column which the configuration keeps with the items or users of the corpus."""

    if TYPE_CHECKING:
        kind: str
        buckets: int
        separator: str | None

    name: FieldName
    """Name of the field: one of your own, or for items one that every corpus has: `category`; `price`, which is
    compared within its category; `age`, the days from publication to the last train event."""
    column: Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)] | None = None
    """Column that the field reads, one of `data.items.attributes` or `data.users.attributes`; `null` = that of its
    name."""

    @property
    def source(self) -> str:
        """The column that the field reads."""
        return self.name if self.column is None else self.column


class CategoryField(OwnField):
    """A word: a learned vector for each that at least 2 train rows have. A path, the item's `category`, has two."""

    kind: Literal["category"]
    """How the field is read: `category`, by learned vectors of its words; of the item's `category` by one for the first
    part of its path and one for the whole."""


class NumberField(OwnField):
    """A number cut into buckets of about equally many train rows, each with a learned vector."""

    kind: Literal["number"]
    """How the field is read: `number`, by learned vectors of buckets; a number beyond those of train is in the
    outermost bucket."""
    buckets: Annotated[int, Field(ge=2)] = 10
    """Number of buckets. More of them are finer and need more rows each to learn from."""


class TagsField(OwnField):
    """Several words: the mean of the learned vectors of those that at least 2 train rows have."""

    kind: Literal["tags"]
    """How the field is read: `tags`, by the mean of learned vectors of its words, at most 16."""
    separator: Annotated[str, Field(min_length=1)] | None = None
    """Text between the words of a text; `null` = a text is one word. Lists need none."""


class VectorField(OwnField):
    """A given vector, such as that of a picture from another model: standardised, then mapped by learned weights."""

    kind: Literal["vector"]
    """How the field is read: `vector`, by learned weights on its standardised numbers."""


def id_adder(own: Section) -> Callable[[list[Any]], list[Any]]:
    """Return a function from fields to the same with `own`, the field of the id; where an id is listed, as they are."""

    def with_id(fields: list[Any]) -> list[Any]:
        return fields if any(field.name == ID for field in fields) else [*fields, own]

    return with_id


def require_names_once(fields: Sequence[Any]) -> None:
    """Check that no two fields have one name.

    Raises:
        ValueError: a name stands twice.
    """
    names = [field.name for field in fields]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the field '{name}' is listed twice; keep one")
