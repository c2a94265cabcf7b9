"""Look-up by name."""

from typing import Annotated, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from interestrec.core.choices import pick, suggestion
from interestrec.core.errors import ConfigError
from interestrec.core.section import Choice, Section
from tests.examples import examples


def test_pick_finds_or_names_the_choices() -> None:
    assert pick({"a": 1}, "a", "loss") == 1
    with pytest.raises(
        ConfigError, match=r"unknown loss 'softmx' \(did you mean 'softmax'\?\); choose from: bce, softmax"
    ):
        pick({"softmax": 1, "bce": 2}, "softmx", "loss")


NAMES = st.lists(st.text("abcde", min_size=1, max_size=6), min_size=1, max_size=6, unique=True)


@examples(100)
@given(NAMES, st.text("abcdef", max_size=7))
def test_pick_gives_what_there_is_and_names_all_choices_otherwise(names: list[str], wanted: str) -> None:
    catalogue = {name: number for number, name in enumerate(names)}
    if wanted in catalogue:
        assert pick(catalogue, wanted, "loss") == catalogue[wanted]
        assert suggestion(wanted, names) == f" (did you mean '{wanted}'?)"
        return
    with pytest.raises(ConfigError) as refused:
        pick(catalogue, wanted, "loss")
    assert all(name in str(refused.value) for name in names)
    assert not suggestion(wanted, names) or suggestion(wanted, names)[16:-3] in names


class Shade(NamedTuple):
    summary: str


SHADES = {"dark": Shade("little light"), "light": Shade("much of it")}


class Wall(Section):
    """A wall."""

    shade: Annotated[str, Choice(SHADES)] = "dark"
    """How it looks."""


def test_a_choice_takes_the_names_of_its_registry_and_no_other() -> None:
    assert Wall(shade="light").shade == "light"
    with pytest.raises(ValidationError, match="Input should be 'dark' or 'light'"):
        Wall(shade="lihgt")


def test_the_schema_lists_and_explains_the_names_of_a_registry() -> None:
    assert Wall.model_json_schema()["properties"]["shade"] == {
        "default": "dark",
        "description": "How it looks. `dark`: little light; `light`: much of it.",
        "enum": ["dark", "light"],
        "title": "Shade",
        "type": "string",
    }
