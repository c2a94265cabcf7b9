"""YAML with places and limits: what is hostile costs neither steps nor memory, what is written reads as it was."""

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interestrec.config import yaml_positions
from interestrec.config.yaml_positions import MAX_BYTES, annotate, decode_text, dump_yaml, read_yaml
from interestrec.core.errors import ConfigError


def place(line: int, column: int) -> str:
    return f"c.yaml:{line}:{column}"


def bomb(first: str, repeat: str, levels: int) -> str:
    """Each line repeats the one before by `repeat`, in which `*` is an alias of it."""
    lines = [f"a0: &a0 {first}"]
    lines += [f"a{n}: &a{n} {repeat.replace('*', f'*a{n - 1}')}" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


def count_calls(monkeypatch: pytest.MonkeyPatch, name: str, calls: list[str]) -> None:
    """Note each call of a method of the loader."""
    method = getattr(yaml_positions._Loader, name)

    def counted(*arguments: object, **named: object) -> object:
        calls.append(name)
        return method(*arguments, **named)

    monkeypatch.setattr(yaml_positions._Loader, name, counted)


WIDE = "[" + ",".join("x" * 1000) + "]"
MANY_KEYS = "{" + ",".join(f"k{n}: 1" for n in range(1000)) + "}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2\n", "c.yaml:2:1: not valid YAML"),
        ("a: 1\na: 2\n", "c.yaml:2:1: the key 'a' is given twice"),
        ("b: {a: 1, a: 2}\n", "c.yaml:1:11: the key 'b.a' is given twice"),
        ("a: 1\n? [b]\n: c\n", "c.yaml:2:3: a key must be text"),
        ("a: 1\nb: !!python/object/apply:os.system [ls]\n", "c.yaml:2:4: the tag 'tag:yaml.org,2002:python/object/a"),
        ("a: !!int 3\n", "c.yaml:1:4: the tag"),
        ("a: !x 3\n", "c.yaml:1:4: the tag '!x' is not supported"),
        ("a: 1\nb: \0\n", "c.yaml:2:4: not valid YAML: the character #x0000"),
        ("a: 1\nb: \x1b[31m\n", "c.yaml:2:4: not valid YAML: the character #x001b"),
        ("a: &a [*a]\n", "c.yaml:1:8: '*a' is used inside the value that it repeats"),
        ("a: &a {b: {c: *a}}\n", "c.yaml:1:15: '*a' is used inside the value that it repeats"),
        ("a: *b\n", "c.yaml:1:4: not valid YAML: found undefined alias 'b'"),
        ("a: 2019-13-45\n", "c.yaml:1:4: '2019-13-45' cannot be read as a number or a date"),
        (f"a: {'9' * 5000}\n", "c.yaml:1:4: '9999999999999999999999999999999999999999' cannot be read"),
        ("a: 1\n---\nb: 2\n", "c.yaml:2:1: not valid YAML"),
        ("a: " + "[" * 51 + "]" * 51, "c.yaml:1:53: more than 50 nested lists and mappings"),
        ("a: " + "[" * 500_000, "c.yaml:1:53: more than 50 nested lists and mappings"),
        ("{a: " * 200_000, "c.yaml:1:201: more than 50"),
        ("- " * 500_000, "c.yaml:1:101: more than 50"),
        ("a: &a 1\nb: [" + "*a, " * 33 + "]\n", "c.yaml:2:133: more than 32 aliases"),
        (bomb("[x]", "[*, *, *, *, *, *, *, *, *]", 30), "more than 32 aliases"),
        (bomb(WIDE, "[*, *]", 15), "more than 100,000 values, with aliases expanded"),
        (bomb(WIDE, "{x: *, y: *}", 15), "more than 100,000 values, with aliases expanded"),
        (bomb(MANY_KEYS, "{<<: [*, *]}", 15), "more than 100,000 values, with aliases expanded"),
    ],
)
def test_what_is_refused_says_where_and_costs_little(text: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = []
    for step in ("fetch_more_tokens", "compose_node", "construct_object"):
        count_calls(monkeypatch, step, steps)
    tracemalloc.start()
    with pytest.raises(ConfigError) as caught:
        read_yaml(text, place)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.exit_status == 78
    assert str(caught.value).startswith("c.yaml:")
    assert message in str(caught.value)
    assert len(steps) < 10_000  # however long the text is, and however often it repeats itself
    assert most < 50e6


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: 1\n" * 209_716, "c.yaml:209716:1: more than 1,048,576 bytes"),
        ("é: 1\nö".encode() + b": \xff\n", "c.yaml:2:4: not UTF-8 text (invalid start byte at byte 10)"),
        (b"\xff\xfea\0", "c.yaml:1:1: not UTF-8 text"),
    ],
)
def test_bytes_that_are_no_configuration(content: bytes, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        decode_text(content, place)
    assert message in str(caught.value)


def test_what_is_within_the_limits_is_read() -> None:
    assert decode_text(b"#" * MAX_BYTES, place)
    assert read_yaml("a: " + "[" * 49 + "x" + "]" * 49, place)
    document = read_yaml("a: &a {b: [1, 2]}\nc: [" + "*a, " * 32 + "]\n", place)
    assert document is not None
    assert document.values["c"] == [{"b": [1, 2]}] * 32
    assert document.positions["c", 31, "b"] == (1, 8)


def test_keys_are_text_as_they_are_written() -> None:
    document = read_yaml("{1: a, 01: b, on: c, null: d, 1.0: e}", place)
    assert document is not None
    assert document.values == {"1": "a", "01": "b", "on": "c", "null": "d", "1.0": "e"}


def test_merged_keys_have_the_places_they_come_from() -> None:
    document = read_yaml("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n", place)
    assert document is not None
    assert document.values["b"] == {"x": 1, "y": 3}
    assert document.positions["b", "x"] == (1, 8)
    assert document.positions["b", "y"] == (2, 13)


def test_nothing_is_none() -> None:
    assert read_yaml("# nothing\n", place) is None


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
)
TRICKY = [
    "2e5",
    "1.5E-3",
    "on",
    "null",
    "2019-01-01",
    "1:30",
    "<<",
    "a # b",
    "x\n\ny",
    "\x85",
    "\u2028",
    "- a",
    "=",
    "~",
]


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=9) | st.sampled_from(TRICKY), VALUES | st.sampled_from(TRICKY), min_size=1))
def test_what_is_written_reads_as_it_was_with_comments_and_without(values: dict) -> None:
    for text in (dump_yaml(values), annotate(values, lambda where: f"--set a=\n\x1b[31m{where!r}\x85")):
        document = read_yaml(text, place)
        assert document is not None
        assert document.values == values
