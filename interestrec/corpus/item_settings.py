"""The `items` section: the fields of an item that its tower reads, and how it reads them."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from interestrec.core.choices import most_similar, suggestion
from interestrec.core.section import Count, Section

KINDS = {"title": "text", "text": "text", "category": "category", "price": "number", "age": "number", "id": "id"}


class TextField(Section):
    """Text that the encoder reads; the text fields follow each other in one input."""

    name: Literal["title", "text"]
    """Text of the item: `title`, or `text`, the longer one (abstract, description, plot)."""
    kind: Literal["text"] = "text"
    """How the field is read: `text`, by the encoder."""
    encoder: str = "text"
    """Name of the encoder that reads the field, as under `encoders`."""
    max_tokens: Count = 32
    """Tokens of the field that are read; longer texts are cut. More tokens cost proportionally more time."""


class CategoryField(Section):
    """The category's path, `sports/football`: one learned vector for its first part and one for the whole."""

    name: Literal["category"]
    """The item's `category`."""
    kind: Literal["category"]
    """How the field is read: `category`, by learned vectors of its levels."""


class NumberField(Section):
    """A number cut into buckets of about equally many train items, each with a learned vector."""

    name: Literal["price", "age"]
    """Number of the item: `price`, compared within its category, or `age`, the days from its publication to the last
    train event."""
    kind: Literal["number"]
    """How the field is read: `number`, by learned vectors of buckets."""
    buckets: Annotated[int, Field(ge=2)] = 10
    """Number of buckets. More of them are finer and need more items each to learn from."""


class IdField(Section):
    """The item itself: a learned vector of its own, left out at random in training; new items go by their texts."""

    name: Literal["id"]
    """The item's own `id`."""
    kind: Literal["id"]
    """How the field is read: `id`, by a learned vector per item."""
    events: Count = 5
    """Fewest positive train events of an item that gets a vector of its own; rarer and new items go by their other
    fields."""


FIELD_KINDS: dict[str, type[Section]] = {
    "text": TextField,
    "category": CategoryField,
    "number": NumberField,
    "id": IdField,
}


def _spelling_hint(value: Any, choices: Iterable[str]) -> str:
    return suggestion(value, choices) if isinstance(value, str) else ""


def _check_kind(field: Any) -> Any:
    """Return a field with its kind, `text` by default; refuse a kind that the field's name does not have.

    If the key is misspelt, the field has the kind of its name, whose section refuses the unknown key.
    """
    if not isinstance(field, dict):
        return field
    if "kind" not in field:
        known = {key for section in FIELD_KINDS.values() for key in section.model_fields}
        misspelt = most_similar("kind", field.keys() - known) is not None
        field = {**field, "kind": KINDS.get(str(field.get("name")), "text") if misspelt else "text"}
    name, kind = field.get("name"), field["kind"]
    if not isinstance(kind, str) or kind not in FIELD_KINDS:
        raise ValueError(
            f"kind: unknown kind '{kind}'{_spelling_hint(kind, FIELD_KINDS)}; choose from {', '.join(FIELD_KINDS)}"
        )
    if "name" in field and (not isinstance(name, str) or name not in KINDS):
        raise ValueError(f"name: unknown field '{name}'{_spelling_hint(name, KINDS)}; choose from {', '.join(KINDS)}")
    if name is not None and KINDS[name] != kind:
        raise ValueError(f"the field '{name}' is not of kind {kind}; write kind: {KINDS[name]}")
    return field


ItemField = Annotated[
    Annotated[TextField | CategoryField | NumberField | IdField, Field(discriminator="kind")],
    BeforeValidator(_check_kind),
]


class ItemsSettings(Section):
    """Fields of an item that the item tower reads."""

    fields: list[ItemField] = Field(default=[TextField(name="title")], min_length=1)
    """The fields of an item that enter the model; at least one must be of kind `text`, and no name may stand twice."""

    @model_validator(mode="after")
    def _consistent(self) -> "ItemsSettings":
        names = [field.name for field in self.fields]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"the field '{name}' is listed twice; keep one")
        if not self.texts:
            raise ValueError("no field is of kind text; add title or text")
        return self

    @property
    def texts(self) -> list[TextField]:
        """The fields that the encoder reads, in order."""
        return [field for field in self.fields if isinstance(field, TextField)]

    @property
    def attributes(self) -> dict[str, int]:
        """The other fields by name, in order, with the buckets of a number or the minimum events of an id; else 0."""
        sizes = {"category": 0}
        for field in self.fields:
            if isinstance(field, NumberField):
                sizes[field.name] = field.buckets
            elif isinstance(field, IdField):
                sizes[field.name] = field.events
        return {field.name: sizes[field.name] for field in self.fields if not isinstance(field, TextField)}
