"""Token sequences and batches of fixed shapes."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from interestrec.text.text_frames import TextFrame
from interestrec.text.text_inputs import TextInputs, batches, text_inputs

CLS, SEP, PAD = 101, 102, 0
FRAME = TextFrame((CLS,), (SEP,), PAD)


def features(titles: list[list[int]], texts: list[list[int]]) -> pa.Table:
    kind = pa.list_(pa.int32())
    return pa.table({"title_tokens": pa.array(titles, kind), "text_tokens": pa.array(texts, kind)})


def sequences(inputs: TextInputs) -> list[list[int]]:
    return [inputs.tokens[a:b].tolist() for a, b in zip(inputs.offsets[:-1], inputs.offsets[1:], strict=True)]


def test_fields_follow_each_other_within_their_budgets() -> None:
    table = features([[1, 2, 3], [], [4]], [[7], [8, 9, 10], []])
    assert sequences(text_inputs(table, [("title", 2), ("text", 2)], FRAME, 10)) == [
        [CLS, 1, 2, 7, SEP],
        [CLS, 8, 9, SEP],
        [CLS, 4, SEP],
    ]
    assert sequences(text_inputs(table, [("text", 9), ("title", 9)], FRAME, 4)) == [
        [CLS, 7, 1, SEP],
        [CLS, 8, 9, SEP],
        [CLS, 4, SEP],
    ]


def test_padding_has_the_id_of_the_tokenizer() -> None:
    inputs = text_inputs(features([[7, 8], []], [[], []]), [("title", 9)], TextFrame((0,), (2,), 1), 10)
    ids, mask = inputs.padded(np.array([1, 0]), 6)
    assert ids.tolist() == [[0, 2, 1, 1, 1, 1], [0, 7, 8, 2, 1, 1]]
    assert mask.tolist() == [[1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 0, 0]]


def test_a_slice_of_the_features_reads_its_own_rows() -> None:
    table = features([[1, 2, 3], [4], [5, 6]], [[], [], []]).slice(1)
    assert sequences(text_inputs(table, [("title", 9)], FRAME, 10)) == [[CLS, 4, SEP], [CLS, 5, 6, SEP]]


def test_frames_of_several_tokens_or_of_none() -> None:
    table = features([[1, 2, 3], [], [4, 9]], [[], [], []])
    several = text_inputs(table, [("title", 9)], TextFrame((CLS, 50, 51), (SEP, 52), PAD), 7)
    assert sequences(several) == [[CLS, 50, 51, 1, 2, SEP, 52], [CLS, 50, 51, SEP, 52], [CLS, 50, 51, 4, 9, SEP, 52]]
    assert (several.leading, several.trailing) == (3, 2)
    none = text_inputs(table, [("title", 9)], TextFrame((), (), PAD, ignored_id=9), 7)
    assert sequences(none) == [[1, 2, 3], [], [4]]
    assert none.padded(np.array([1, 2]), 2)[1].tolist() == [[0, 0], [1, 0]]
    assert (none.select(np.array([1])).leading, none.distinct()[0].trailing) == (0, 0)


def test_padded_batches() -> None:
    inputs = text_inputs(features([[1, 2], [3]], [[], []]), [("title", 9)], FRAME, 10)
    ids, mask = inputs.padded(np.array([1, 0]), 4)
    np.testing.assert_array_equal(ids, [[CLS, 3, SEP, PAD], [CLS, 1, 2, SEP]])
    np.testing.assert_array_equal(mask, [[1, 1, 1, 0], [1, 1, 1, 1]])


def test_distinct_texts_in_order_of_first_appearance() -> None:
    inputs = text_inputs(features([[5], [1, 2], [5], [3], [1, 2]], [[]] * 5), [("title", 9)], FRAME, 10)
    distinct, row = inputs.distinct()
    assert sequences(distinct) == [[CLS, 5, SEP], [CLS, 1, 2, SEP], [CLS, 3, SEP]]
    np.testing.assert_array_equal(row, [0, 1, 0, 2, 1])


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.integers(0, 10))
def test_batches_cover_all_and_keep_their_shapes_when_texts_are_added(lengths: list[int], added: int) -> None:
    before = list(batches(np.array(lengths)))
    rows = np.concatenate([rows for rows, _ in before])
    assert set(rows.tolist()) == set(range(len(lengths)))
    for batch, length in before:
        assert max(lengths[row] for row in batch) <= length < max(max(lengths[row] for row in batch) + 4, 9)
        assert len(batch) * length % 48 == 0
    after = {(length, int(batch[0])): batch for batch, length in batches(np.array(lengths + [7] * added))}
    for batch, length in before:
        same = after[length, int(batch[0])]
        assert len(same) == len(batch)
        kept = len(np.unique(batch))
        np.testing.assert_array_equal(same[:kept], batch[:kept])
