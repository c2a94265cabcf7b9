"""The `items` section: the fields of an item that its tower reads, and how it reads them."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from interestrec.core.choices import most_similar, suggestion
from interestrec.core.section import Count, CountOrZero, Section
from interestrec.corpus.own_fields import (
    CategoryField,
    NumberField,
    TagsField,
    VectorField,
    id_adder,
    require_names_once,
)

# Fields of every corpus; any other name is that of a column that the configuration keeps.
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


class IdField(Section):
    """The item itself: a learned vector of its own, left out at random in training; new items go by their texts."""

    name: Literal["id"]
    """The item's own `id`."""
    kind: Literal["id"]
    """How the field is read: `id`, by a learned vector per item."""
    events: CountOrZero = 2
    """Fewest positive train events of an item that gets a vector of its own; rarer and new items share one and go by
    their other fields. The field is there without being listed; 0 leaves it out."""


FIELD_KINDS: dict[str, type[Section]] = {
    "text": TextField,
    "category": CategoryField,
    "number": NumberField,
    "tags": TagsField,
    "vector": VectorField,
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
    if name is not None and (not isinstance(name, str) or (name not in KINDS and kind in ("text", "id"))):
        raise ValueError(f"name: unknown field '{name}'{_spelling_hint(name, KINDS)}; {_advice(kind)}")
    if name in KINDS and KINDS[name] != kind:
        raise ValueError(f"the field '{name}' is not of kind {kind}; write kind: {KINDS[name]}")
    if name in KINDS and field.get("column") is not None:
        raise ValueError(f"the field '{name}' reads no column; give the field of '{field['column']}' another name")
    return field


def _advice(kind: str) -> str:
    if kind == "text":
        return "the encoder reads title and text alone; name a column with text in `data.items.columns.text`"
    return f"choose from {', '.join(KINDS)}"


AttributeField = CategoryField | NumberField | TagsField | VectorField | IdField
ItemField = Annotated[
    Annotated[TextField | CategoryField | NumberField | TagsField | VectorField | IdField, Field(discriminator="kind")],
    BeforeValidator(_check_kind),
]


_ID_FIELD = IdField(name="id", kind="id")


class ItemsSettings(Section):
    """Fields of an item that the item tower reads."""

    fields: Annotated[list[ItemField], AfterValidator(id_adder(_ID_FIELD))] = Field(
        default=[TextField(name="title"), _ID_FIELD], min_length=1
    )
    """The fields of an item that enter the model, those of every corpus and columns of `data.items.attributes`; at
    least one must be of kind `text`, and no name may stand twice. The `id` is added where it is not listed."""

    @model_validator(mode="after")
    def _consistent(self) -> "ItemsSettings":
        require_names_once(self.fields)
        if not self.texts:
            raise ValueError("no field is of kind text; add title or text")
        return self

    @property
    def texts(self) -> list[TextField]:
        """The fields that the encoder reads, in order."""
        return [field for field in self.fields if isinstance(field, TextField)]

    @property
    def attributes(self) -> list[AttributeField]:
        """The other fields, in order, without an `id` that is left out."""
        others = [field for field in self.fields if not isinstance(field, TextField)]
        return [field for field in others if not isinstance(field, IdField) or field.events]
