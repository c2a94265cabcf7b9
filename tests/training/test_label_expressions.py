"""Labels of tasks: what they are of known and unknown events, and what is no label."""

import numpy as np
import pytest

from interestrec.core.errors import ConfigError
from interestrec.corpus.event_columns import LabelColumns
from interestrec.training.label_expressions import parse_label

COLUMNS = LabelColumns(
    names=["view", "add to cart", "buy"],
    event=np.array([0, 1, 2, -1, 2], np.int32),
    value=np.array([np.nan, 2.0, 4.0, 30.0, np.nan]),
    intensity=np.array([0.2, 0.6, 1.0, 0.5, 1.0], np.float32),
)
NAN = float("nan")


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("value", [NAN, 2, 4, 30, NAN]),
        ("intensity", [0.2, 0.6, 1, 0.5, 1]),
        ("event == buy", [0, 0, 1, NAN, 1]),
        ("event != buy", [1, 1, 0, NAN, 0]),
        ("event in (buy, 'add to cart')", [0, 1, 1, NAN, 1]),
        ("value >= 4", [NAN, 0, 1, 1, NAN]),
        ("value where event == buy", [NAN, NAN, 4, NAN, NAN]),
        ("value where event in ('add to cart',buy) and value<3", [NAN, 2, NAN, NAN, NAN]),
        ("event==buy and intensity > 0.1", [0, 0, 1, NAN, 1]),
        ("value == 4", [NAN, 0, 1, 0, NAN]),
    ],
)
def test_labels_by_hand(text: str, labels: list[float]) -> None:
    found = parse_label(text)(COLUMNS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, labels)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a column, event, value or intensity at position 1, found the end"),
        ("evnt == buy", r"at position 1, found 'evnt' \(did you mean 'event'\?\)"),
        ("event = buy", "'=' at position 7 is not understood"),
        ("event == ", "expected the type of an event at position 9, found the end"),
        ("event in buy", r"expected \( at position 10"),
        ("event in (buy", r"expected , or \) at position 14, found the end"),
        ("value >= much", "expected a number at position 10"),
        ("value when event == buy", "expected a comparison such as >= at position 7"),
        ("value where", "expected a column, event, value or intensity at position 12, found the end"),
        ("event == buy or event == view", "expected the end or 'and' at position 14, found 'or'"),
    ],
)
def test_what_is_no_label(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_label(text)


def test_an_unknown_type_of_events_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"type 'bay' \(did you mean 'buy'\?\); there are: view, add to cart, buy"):
        parse_label("event == bay")(COLUMNS)
