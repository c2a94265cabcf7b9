"""YAML with comments loads to its values."""

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from interestrec.inspection.commented_yaml import write_commented

KEYS = st.text(min_size=1, max_size=8)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-9, 9), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=12)
)
VALUES = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
        max_leaves=8,
    ),
    min_size=1,
    max_size=4,
)


def places(value: Any, where: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in pairs for place in [(*where, key), *places(inner, (*where, key))]]


@given(VALUES, st.data())
def test_comments_change_nothing(values: dict[str, Any], data: st.DataObject) -> None:
    keys = [place for place in places(values) if isinstance(place[-1], str)]
    chosen = data.draw(st.lists(st.sampled_from(keys), max_size=3))
    text = write_commented(values, dict.fromkeys(chosen, "sure: x"), {key: ["a remark"] for key in chosen[:1]})
    assert yaml.safe_load(text) == values


def test_by_hand() -> None:
    values = {"data": {"files": ["a.csv"], "columns": {"user": "u", "item": "i"}}, "seed": 1}
    comments: dict[tuple[str | int, ...], str] = {("data", "columns", "user"): "sure: its name"}
    text = write_commented(values, comments, {("data", "columns", "item"): ["QUESTION: which?"]})
    assert text == (
        "data:\n  files: [a.csv]\n  columns:\n    user: u                                  # sure: its name\n"
        "    # QUESTION: which?\n    item: i\nseed: 1\n"
    )
