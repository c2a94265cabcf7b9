"""Users as texts, by hand."""

import numpy as np
import pytest

from interestrec.encoding import user_texts as module
from interestrec.encoding.user_texts import documents
from interestrec.text.text_inputs import TextInputs

CLS, SEP = 2, 3
TEXTS = [[10, 11], [20], [], [30, 31, 32]]


@pytest.fixture
def items() -> TextInputs:
    rows = [[CLS, *text, SEP] for text in TEXTS]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    return TextInputs(offsets, np.concatenate(rows).astype(np.int32), 0)


def texts(found: TextInputs) -> list[list[int]]:
    return [found.tokens[a:b].tolist() for a, b in zip(found.offsets[:-1], found.offsets[1:], strict=True)]


EVENTS = np.array([0, 1, 3, 2, 0], np.int32)
INTENSITY = np.array([1, 0.2, 1, 0.5, 0], np.float32)


def made(items: TextInputs, ranges: list[tuple[int, int]], longest: int) -> list[list[int]]:
    start, end = np.array(ranges, np.int64).reshape(-1, 2).T
    return texts(documents(items, EVENTS, INTENSITY, start, end, longest))


def test_the_latest_item_comes_first_and_every_text_ends_with_a_separator(items: TextInputs) -> None:
    assert made(items, [(0, 3)], 100) == [[CLS, 30, 31, 32, SEP, 20, SEP, 10, 11, SEP]]
    assert made(items, [(0, 1), (1, 2)], 100) == [[CLS, 10, 11, SEP], [CLS, 20, SEP]]


def test_a_text_is_cut_before_its_last_separator(items: TextInputs) -> None:
    whole = [CLS, 30, 31, 32, SEP, 20, SEP, 10, 11, SEP]
    for longest in range(3, 14):
        cut = whole if longest >= len(whole) else [*whole[: longest - 1], SEP]
        assert made(items, [(0, 3)], longest) == [cut]


def test_what_shows_no_interest_is_not_read(items: TextInputs) -> None:
    assert made(items, [(2, 5)], 100) == [[CLS, SEP, 30, 31, 32, SEP]]
    assert made(items, [(4, 5), (0, 0), (0, 1)], 100) == [[], [], [CLS, 10, 11, SEP]]
    assert made(items, [], 100) == []


def test_blocks_change_nothing(items: TextInputs, monkeypatch: pytest.MonkeyPatch) -> None:
    ranges = [(0, 3), (4, 5), (1, 4), (2, 2), (0, 5)]
    whole = made(items, ranges, 6)
    monkeypatch.setattr(module, "_RANGES_PER_BLOCK", 2)
    assert made(items, ranges, 6) == whole
