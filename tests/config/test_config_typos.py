"""A hundred seeded typos over everything the shipped templates can say: each refused, placed, and put right."""

import random
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from interestrec.config.loading import load_settings
from interestrec.config.yaml_positions import Location, YamlDocument, dotted_key, dump_yaml, read_yaml
from interestrec.core.errors import ConfigError

TEMPLATES = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
FREE = re.compile(  # keys that are the user's own names
    r"encoders\.\w+|data\.events\.\d+\.event_types\..+|preprocess\.intensity\.(weights|values|negative)\.\w+"
)
CHOICES = re.compile(
    r"data\.format|.*time_unit|items\.fields\.\d+\.(name|kind)|preprocess\.(duplicates|near_duplicate_items)"
    r"|preprocess\.split\.method|preprocess\.intensity\.(combine|negative\.\w+|values\.\w+\.map)|encoders\.\w+\.pooling"
    r"|pretrain_adapt\.objective|finetune\.(user_tower|similarity|schedule|calibration|negatives\.source)"
    r"|rank\.((systems|components|estimators)\.\d+|ablation|blend\.method|item_knn\.similarity|rules\.seen)"
    r"|evaluate\.(gain|metrics\.\d+)|runtime\.(device|distribution|precision)"
)


def typo(word: str, rng: random.Random) -> str:
    """The word with a letter lost, doubled, changed, or swapped with the next one."""
    while True:
        at = rng.randrange(len(word))
        kind = rng.choice(["lost", "doubled", "changed", "swapped"])
        wrong = {
            "lost": word[:at] + word[at + 1 :],
            "doubled": word[: at + 1] + word[at:],
            "changed": word[:at] + rng.choice("abcdefghijklmnopqrstuvwxyz") + word[at + 1 :],
            "swapped": word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :],
        }[kind]
        # Words that YAML reads as something else, and numbers behind an @, are no typos of letters.
        if wrong != word and wrong and "@" not in word[: at + 2] and re.fullmatch(r"[a-z_][a-z_@0-9]*", wrong):
            return wrong


def value_at(values: Any, where: Location) -> Any:
    for part in where:
        values = values[part]
    return values


def with_change(text: str, position: tuple[int, int], old: str, new: str) -> str:
    """The text with the word `new` in place of the first `old` at or behind a position of its line."""
    lines = text.splitlines(keepends=True)
    line, column = position[0] - 1, position[1] - 1
    at = lines[line].index(old, column)
    lines[line] = lines[line][:at] + new + lines[line][at + len(old) :]
    return "".join(lines)


@cache
def whole(template: Path) -> tuple[str, YamlDocument]:
    """All that a template says, defaults included, a line a value."""
    text = dump_yaml(load_settings(template).model_dump(mode="json"))
    document = read_yaml(text, "{}:{}".format)
    assert document is not None
    return text, document


def seeded_typos(kind: str, count: int) -> list[tuple[Path, Location, int]]:
    """Where the typos are made: a template, a key or a value of all that it says, a seed."""
    rng = random.Random(f"typos of {kind}")
    places = []
    for template in TEMPLATES:
        _, document = whole(template)
        for where in document.positions:
            value = value_at(document.values, where)
            fits = {
                "key": isinstance(where[-1], str) and not FREE.fullmatch(dotted_key(where)),
                "choice": isinstance(value, str) and CHOICES.fullmatch(dotted_key(where)) is not None,
                "type": isinstance(value, int | float) or (isinstance(value, dict) and len(where) == 1),
            }[kind]
            if fits:
                places.append((template, where))
    depth = max(len(where) for _, where in places)
    picked = [rng.choice([p for p in places if len(p[1]) >= n % depth]) for n in range(count)]
    return [(template, where, rng.randrange(10**9)) for template, where in picked]


def refused(path: Path, text: str) -> list[str]:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    assert caught.value.exit_status == 78
    return str(caught.value).splitlines()


@pytest.mark.slow
def test_typos_are_refused_where_they_are_and_the_right_word_is_suggested(tmp_path: Path) -> None:
    path, wrong_suggestions = tmp_path / "typo.yaml", []
    cases = [(kind, *case) for kind, count in (("key", 65), ("choice", 35)) for case in seeded_typos(kind, count)]
    for kind, template, where, seed in cases:
        text, document = whole(template)
        word = str(where[-1]) if kind == "key" else value_at(document.values, where)
        line, column = document.positions[where]
        wrong = typo(word, random.Random(seed))
        lines = refused(path, with_change(text, (line, column), word, wrong))
        placed = [said for said in lines if said.startswith(f"{path}:{line}:{column}: ")]
        assert placed, (dotted_key(where), wrong, lines)
        assert all(re.match(rf"{path}:\d+:\d+: ", said) for said in lines)
        if not any(f"did you mean '{word}'?" in said for said in placed):
            wrong_suggestions.append((dotted_key(where), wrong, placed))
    assert len(cases) == 100
    assert len(wrong_suggestions) <= 5, wrong_suggestions


def test_values_of_a_wrong_type_are_refused_where_they_are(tmp_path: Path) -> None:
    for template, where, _ in seeded_typos("type", 30):
        text, document = whole(template)
        line, column = document.positions[where]
        value = value_at(document.values, where)
        if isinstance(value, dict):
            values = {**document.values, where[0]: 7}
            path = tmp_path / "type.yaml"
            path.write_text("\n".join(f"{key}: {inner!r}" for key, inner in values.items()).replace("None", "null"))
            with pytest.raises(ConfigError, match=rf"type.yaml:\d+:1: '?{where[0]}"):
                load_settings(path)
            continue
        shown = text.splitlines()[line - 1][column - 1 :].removeprefix(f"{where[-1]}: ")
        lines = refused(tmp_path / "type.yaml", with_change(text, (line, column), shown, "[much]"))
        assert any(
            said.startswith(f"{tmp_path / 'type.yaml'}:{line}:{column}: {dotted_key(where)}") for said in lines
        ), lines


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_all_typos_of_a_file_are_told_in_one_pass(tmp_path: Path, template: Path) -> None:
    text, document = whole(template)
    rng = random.Random(template.stem)
    wanted = []
    for where in [("seed",), ("finetune", "epochs"), ("rank", "als", "factors"), ("runtime", "device")]:
        line, column = document.positions[where]
        wrong = typo(str(where[-1]), rng)
        text = with_change(text, (line, column), str(where[-1]), wrong)
        wanted.append((line, column, wrong))
    for where in [("preprocess", "duplicates"), ("rank", "systems", 3), ("evaluate", "metrics", 0)]:
        word = value_at(document.values, where)
        text = with_change(text, document.positions[where], word, typo(word, rng))
        wanted.append((*document.positions[where], dotted_key(where)))
    lines = refused(tmp_path / "typos.yaml", text)
    assert len(lines) == len(wanted)
    for line, column, named in wanted:
        assert any(f":{line}:{column}: " in said and named in said for said in lines)
