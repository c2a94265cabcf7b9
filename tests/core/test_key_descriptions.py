"""Every configuration key is described, in sentences, and the JSON Schema carries the descriptions."""

import inspect
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel

from interestrec.config.loading import settings_schema
from interestrec.config.settings import Settings
from interestrec.core import key_descriptions as described
from interestrec.core.key_descriptions import key_descriptions
from interestrec.core.section import Choice, Section, written_key
from interestrec.scoring.rank_settings import BlendSettings
from interestrec.training.finetune_settings import VectorCacheSettings

LONGEST = 300


def sections(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """A section and all sections within it, those of every alternative included."""
    yield model
    for field in model.model_fields.values():
        yield from within(field.annotation)


def within(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from sections(annotation)
    for argument in get_args(annotation):
        yield from within(argument)


SECTIONS = sorted(set(sections(Settings)), key=lambda section: section.__name__)
KEYS = [(section, key) for section in SECTIONS for key in section.model_fields]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_section_has_a_docstring(section: type[BaseModel]) -> None:
    assert section.__dict__["__doc__"]


@pytest.mark.parametrize(("section", "key"), KEYS, ids=[f"{section.__name__}.{key}" for section, key in KEYS])
def test_every_key_is_described_in_sentences(section: type[BaseModel], key: str) -> None:
    text = key_descriptions(section).get(key, "")
    where = f"the string literal under {section.__name__}.{key}"
    assert text, f"write {where}: what the key does, its unit, what a larger value or each choice means"
    assert text[0].isupper(), f"begin {where} with a capital letter: {text}"
    assert text.endswith("."), f"end {where} with a full stop: {text}"
    if section.model_fields[key].description is not None:
        return  # composed from a registry, which may grow
    assert len(text) <= LONGEST, f"shorten {where} from {len(text)} to {LONGEST} characters"


def test_the_walk_reaches_alternatives_lists_and_mappings() -> None:
    names = {section.__name__ for section in SECTIONS}
    assert {"MindData", "RowCondition", "IdField", "ValueMapSettings", "TextEncoderSettings", "LoraSettings"} <= names


def test_inherited_keys_keep_their_description() -> None:
    class Child(VectorCacheSettings):
        pass

    assert key_descriptions(Child) == key_descriptions(VectorCacheSettings)


@pytest.mark.parametrize(("section", "key"), KEYS, ids=[f"{section.__name__}.{key}" for section, key in KEYS])
def test_every_choice_is_explained_by_name(section: type[BaseModel], key: str) -> None:
    if (section, key) == (BlendSettings, "component"):
        return  # the names are those that rank.components explains
    text = key_descriptions(section)[key]
    for choice in choices(section.model_fields[key].annotation):
        assert f"`{choice}`" in text, f"say what {choice} means under {section.__name__}.{key}"


@pytest.mark.parametrize(("section", "key"), KEYS, ids=[f"{section.__name__}.{key}" for section, key in KEYS])
def test_every_entry_of_a_registry_is_summed_up(section: type[BaseModel], key: str) -> None:
    description = section.model_json_schema()["properties"][written_key(section, key)]["description"]
    for mark in section.model_fields[key].metadata:
        for name, entry in mark.registry.items() if isinstance(mark, Choice) else ():
            assert f"`{name}`: {entry.summary}" in description
            assert entry.summary.strip(), f"say what {name} does"
            assert not entry.summary.endswith("."), f"the summary of {name} is a phrase within a sentence"


def choices(annotation: Any) -> Iterator[str]:
    """The texts that a value may be; the names of a mapping's entries are explained elsewhere."""
    if get_origin(annotation) is Literal:
        yield from (choice for choice in get_args(annotation) if isinstance(choice, str))
    elif get_origin(annotation) is dict:
        yield from choices(get_args(annotation)[1])
    else:
        for argument in get_args(annotation):
            yield from choices(argument)


def test_the_schema_describes_every_section_and_key() -> None:
    schema = settings_schema()
    for definition in [schema, *schema["$defs"].values()]:
        assert definition["description"]
        for key, node in definition["properties"].items():
            assert node.get("description"), f"{definition['title']}.{key}"
    assert schema["properties"]["seed"]["description"] == key_descriptions(Settings)["seed"]


def test_without_source_text_there_is_a_schema_without_descriptions(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(module: object) -> str:
        raise OSError("could not get source code")

    described._literals.cache_clear()
    monkeypatch.setattr(inspect, "getsource", unreadable)
    try:
        assert key_descriptions(Section) == {}
        assert "description" not in settings_schema()["properties"]["seed"]
    finally:
        described._literals.cache_clear()
