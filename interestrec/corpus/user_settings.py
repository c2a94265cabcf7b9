"""The `users` section: the fields of a user that the model reads beside the history."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from interestrec.core.kinds import misspelt_kind, require_kind
from interestrec.core.section import CountOrZero, Section
from interestrec.corpus.own_fields import ID, CategoryField, NumberField, TagsField, id_adder, require_names_once


class UserIdField(Section):
    """The user: a learned vector of their own, left out at random in training; new users go by their other fields."""

    name: Literal["id"]
    """The user's own `id`."""
    kind: Literal["id"]
    """How the field is read: `id`, by a learned vector per user."""
    events: CountOrZero = 5
    """Fewest positive train events of a user who gets a vector of their own; others share one. The field is there
    without being listed; 0 leaves it out."""


USER_FIELD_KINDS: dict[str, type[Section]] = {
    "category": CategoryField,
    "number": NumberField,
    "tags": TagsField,
    "id": UserIdField,
}


def _check_kind(field: Any) -> Any:
    """Return a field of a known kind; if the key is misspelt, with some kind, whose section refuses the unknown key."""
    if not isinstance(field, dict):
        return field
    if "kind" not in field:
        if misspelt_kind(field, USER_FIELD_KINDS) is None:
            raise ValueError(f"'kind' is missing; choose from {', '.join(USER_FIELD_KINDS)}")
        field = {**field, "kind": ID if field.get("name") == ID else "category"}
    name, kind = field.get("name"), field["kind"]
    require_kind(kind, USER_FIELD_KINDS)
    if kind != ID and name == ID:
        raise ValueError("the field 'id' is of kind id; give the field of a column another name")
    return field


UserField = Annotated[
    Annotated[CategoryField | NumberField | TagsField | UserIdField, Field(discriminator="kind")],
    BeforeValidator(_check_kind),
]


_ID_FIELD = UserIdField(name="id", kind="id")


class UsersSettings(Section):
    """Fields of a user that the model reads beside the history."""

    fields: Annotated[list[UserField], AfterValidator(id_adder(_ID_FIELD))] = [_ID_FIELD]
    """The fields of a user that enter the model, columns of `data.users.attributes` and the `id`; no name may stand
    twice. The `id` is added where it is not listed."""

    @model_validator(mode="after")
    def _consistent(self) -> "UsersSettings":
        require_names_once(self.fields)
        return self

    @property
    def features(self) -> list[UserField]:
        """The fields, in order, without an `id` that is left out."""
        return [field for field in self.fields if not isinstance(field, UserIdField) or field.events]
