"""Texts by themselves: which ones a corpus has."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pyarrow as pa
import pytest

from interestrec.corpus.store import Corpus
from interestrec.pretraining.passages import Passages, corpus_passages
from interestrec.text.text_frames import sentence_frame
from interestrec.text.text_inputs import TextInputs
from interestrec.text.tokenizer import load_tokenizer


def features(titles: list[list[int]], texts: list[list[int]]) -> pa.Table:
    tokens = pa.list_(pa.int32())
    return pa.table({"title_tokens": pa.array(titles, tokens), "text_tokens": pa.array(texts, tokens)})


def corpus(count: int, seen: list[int]) -> Corpus:
    """What `corpus_passages` reads of one: events of the seen items in train."""
    shown = SimpleNamespace(item=np.zeros(1, int), split=np.array([2]), offsets=np.array([0, 1]))
    events = SimpleNamespace(item=np.array(seen), split=np.zeros(len(seen), int))
    items = SimpleNamespace(num_rows=count)
    return cast(Corpus, SimpleNamespace(items=items, timelines=events, impressions=shown))


@pytest.mark.parametrize(
    ("sides", "items"),
    [
        ([[("title", 8)]], [1, 3, 5]),
        ([[("title", 8), ("text", 8)]], [1, 2, 3, 4, 5]),
        ([[("title", 8)], [("text", 8)]], [1, 2, 5]),
        ([[("title", 8)], [("text", 1)]], [1, 5]),
    ],
)
def test_distinct_passages_of_items_that_train_has_seen(
    tiny_encoder: Path, sides: list[list[tuple[str, int]]], items: list[int]
) -> None:
    titles = [[9], [11], [11], [12], [], [13], [11]]
    texts = [[9], [21, 22], [21, 23], [], [22], [21], [21, 22]]
    known = corpus(len(titles), [1, 2, 3, 4, 5, 6])
    made = corpus_passages(known, features(titles, texts), sides, sentence_frame(load_tokenizer(tiny_encoder)), 20)
    assert made.items.tolist() == items
    assert len(made.sides) == len(sides)
    assert [side.tokens[0] for side in made.sides] == [load_tokenizer(tiny_encoder).cls_id] * len(sides)


def test_no_item_has_both_sides(tiny_encoder: Path) -> None:
    sides = [[("title", 8)], [("text", 8)]]
    tokens = features([[9], []], [[], [8]])
    assert not len(corpus_passages(corpus(2, [0, 1]), tokens, sides, sentence_frame(load_tokenizer(tiny_encoder)), 20))


def test_each_side_is_padded_by_itself() -> None:
    short = TextInputs(np.array([0, 3, 6]), np.arange(6, dtype=np.int32), 9)
    long = TextInputs(np.array([0, 2, 12]), np.arange(12, dtype=np.int32), 9)
    passages = Passages((short, long), np.array([4, 7]))
    assert passages.lengths.tolist() == [5, 13]
    ids, mask, other, other_mask = passages.padded(np.array([1, 0]))
    assert (ids.shape, other.shape) == ((2, 8), (2, 16))
    assert ids[0].tolist() == [3, 4, 5, 9, 9, 9, 9, 9]
    assert (mask.sum(), other_mask.sum()) == (6, 12)
    assert passages.select(np.array([1])).items.tolist() == [7]
