"""The base class of settings sections and the types of bounded numbers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, create_model
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from interestrec.core.key_descriptions import key_descriptions


class RegistryEntry(Protocol):
    """The interface of registry entries that a Choice lists."""

    @property
    def summary(self) -> str:
        """What the choice does, as a phrase after `name: `; the configuration reference shows it."""


@dataclass(frozen=True)
class Choice:
    """The name of a registry's entry, as the annotation of a key: `schedule: Annotated[str, Choice(DECAYS)]`.

    The registry, a literal dict, is the one place that lists the names: values are checked against it, and the JSON
    Schema lists its names and their summaries.
    """

    registry: Mapping[str, RegistryEntry]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the schema of a Literal with the names of the registry."""
        return core_schema.literal_schema(list(self.registry))

    def explained(self) -> str:
        """Return every name with its summary, as a sentence."""
        return "; ".join(f"`{name}`: {entry.summary}" for name, entry in self.registry.items()) + "."


class Section(BaseModel):
    """A frozen section of the settings; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, serialize_by_alias=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the section's JSON Schema with the description of every key."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        for name, text in key_descriptions(cls).items():
            choices = [mark for mark in cls.model_fields[name].metadata if isinstance(mark, Choice)]
            key = written_key(cls, name)
            schema["properties"][key]["description"] = " ".join([text, *(choice.explained() for choice in choices)])
        return schema


def written_key(section: type[BaseModel], name: str) -> str:
    """Return the key that the configuration has for a field; a key such as `in` is no name of Python."""
    return section.model_fields[name].alias or name


def with_keys_of(base: type[Section], name: str, entries: Iterable[type[Section]]) -> type[Section]:
    """Return the section `base` extended by the keys of the sections `entries`."""
    distinct = list(dict.fromkeys(entries))
    # A superclass of another entry adds no keys, and before its subclass it has no method resolution order.
    inner = [entry for entry in distinct if not any(issubclass(one, entry) for one in distinct if one is not entry)]
    return create_model(name, __base__=(*inner, base), __doc__=base.__doc__)


def require_keys_of_choice(section: Section, key: str, keys: Mapping[str, Iterable[str]]) -> None:
    """Reject values for keys that the selected entry of a registry does not read.

    Args:
        key: the key whose value is the name of the entry.
        keys: per entry, the keys that it reads besides the common keys of the section.

    Raises:
        ValueError: a key belongs to other entries, which the message names.
    """
    selected = getattr(section, key)
    for other in dict.fromkeys(name for names in keys.values() for name in names):
        default = type(section).model_fields[other].default
        if other not in keys[selected] and getattr(section, other) != default:
            owners = " or ".join(name for name, names in keys.items() if other in names)
            raise ValueError(f"{other} belongs to {key}: {owners}, not to {selected}")


Fraction = Annotated[float, Field(ge=0, le=1)]
BelowOne = Annotated[float, Field(ge=0, lt=1)]
OpenFraction = Annotated[float, Field(gt=0, lt=1)]
AboveZero = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
CountOrZero = Annotated[int, Field(ge=0)]
