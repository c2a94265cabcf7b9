"""The `items` section: the fields of an item that its tower reads, and how it reads them."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from interestrec.core.kinds import misspelt_kind, require_kind, spelling_hint
from interestrec.core.section import Count, CountOrZero, Section
from interestrec.corpus.own_fields import (
    CategoryField,
    FieldName,
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


class ImageField(Section):
    """Pictures that an encoder of pictures reads; items without one go by their other fields."""

    name: FieldName
    """Name of the field."""
    kind: Literal["image"]
    """How the field is read: `image`, by an encoder of pictures."""
    encoder: str
    """Name of the encoder that reads the field, as under `encoders`; of kind `image`."""
    column: Annotated[str, Field(min_length=1)] | None = None
    """Column of `data.items.attributes` with the path of each item's picture; `null` = that of its name."""
    directory: Path = Path()
    """Directory that the paths start from, relative to `data.root`."""
    file: Path | None = None
    """Parquet file with the pictures themselves, in columns `item_id` and `image`, relative to `data.root`; instead of
    `column`."""

    @property
    def source(self) -> str:
        """The column of paths."""
        return self.name if self.column is None else self.column


class ItemVectorField(VectorField):
    """A vector of a column, standardised and mapped by learned weights; with `encoder`, one from a file of vectors."""

    encoder: str | None = None
    """Name of the entry of `encoders` of kind `vectors` whose file holds the items' vectors, instead of a column; they
    are then compared by their angles, like those of texts."""

    @model_validator(mode="after")
    def _one_source(self) -> "ItemVectorField":
        if self.encoder is not None and self.column is not None:
            raise ValueError("column: the field reads the file of its encoder; keep one of the two keys")
        return self


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
    "image": ImageField,
    "category": CategoryField,
    "number": NumberField,
    "tags": TagsField,
    "vector": ItemVectorField,
    "id": IdField,
}


def _check_kind(field: Any) -> Any:
    """Return a field with its kind, `text` by default; refuse a kind that the field's name does not have.

    If the key is misspelt, the field has the kind of its name, whose section refuses the unknown key.
    """
    if not isinstance(field, dict):
        return field
    if "kind" not in field:
        misspelt = misspelt_kind(field, FIELD_KINDS) is not None
        field = {**field, "kind": KINDS.get(str(field.get("name")), "text") if misspelt else "text"}
    name, kind = field.get("name"), field["kind"]
    require_kind(kind, FIELD_KINDS)
    if name is not None and (not isinstance(name, str) or (name not in KINDS and kind in ("text", "id"))):
        raise ValueError(f"name: unknown field '{name}'{spelling_hint(name, KINDS)}; {_advice(kind)}")
    if name in KINDS and KINDS[name] != kind:
        raise ValueError(f"the field '{name}' is not of kind {kind}; write kind: {KINDS[name]}")
    if name in KINDS and field.get("column") is not None:
        raise ValueError(f"the field '{name}' reads no column; give the field of '{field['column']}' another name")
    return field


def _advice(kind: str) -> str:
    if kind == "text":
        return "the encoder reads title and text alone; name a column with text in `data.items.columns.text`"
    return f"choose from {', '.join(KINDS)}"


AttributeField = CategoryField | NumberField | TagsField | ItemVectorField | IdField
EncodedField = TextField | ImageField | ItemVectorField
ItemField = Annotated[
    Annotated[
        TextField | ImageField | CategoryField | NumberField | TagsField | ItemVectorField | IdField,
        Field(discriminator="kind"),
    ],
    BeforeValidator(_check_kind),
]


_ID_FIELD = IdField(name="id", kind="id")


class ItemsSettings(Section):
    """Fields of an item that the item tower reads."""

    fields: Annotated[list[ItemField], AfterValidator(id_adder(_ID_FIELD))] = Field(
        default=[TextField(name="title"), _ID_FIELD], min_length=1
    )
    """The fields of an item that enter the model, those of every corpus and columns of `data.items.attributes`; an
    encoder must read at least one, and no name may stand twice, save that of a text that several encoders read. The
    `id` is added where it is not listed."""

    @model_validator(mode="after")
    def _consistent(self) -> "ItemsSettings":
        require_names_once([field for field in self.fields if not isinstance(field, TextField)])
        for encoder in dict.fromkeys(field.encoder for field in self.texts):
            require_names_once(self.texts_of(encoder))
        if not self.encoded:
            raise ValueError("no encoder reads a field; add title or text")
        return self

    @property
    def encoded(self) -> list[EncodedField]:
        """The fields that encoders read, in order."""
        kinds = (TextField, ImageField, ItemVectorField)
        return [field for field in self.fields if isinstance(field, kinds) and field.encoder is not None]

    @property
    def texts(self) -> list[TextField]:
        """The fields of texts, in order."""
        return [field for field in self.fields if isinstance(field, TextField)]

    @property
    def images(self) -> dict[str, ImageField]:
        """The fields of pictures by their encoders."""
        return {field.encoder: field for field in self.fields if isinstance(field, ImageField)}

    def texts_of(self, encoder: str) -> list[TextField]:
        """Return the fields of texts that an encoder reads, in order."""
        return [field for field in self.texts if field.encoder == encoder]

    @property
    def attributes(self) -> list[AttributeField]:
        """The fields without an encoder, in order, and without an `id` that is left out."""
        others = [field for field in self.fields if not isinstance(field, TextField | ImageField)]
        own = [field for field in others if not isinstance(field, ItemVectorField) or field.encoder is None]
        return [field for field in own if not isinstance(field, IdField) or field.events]
