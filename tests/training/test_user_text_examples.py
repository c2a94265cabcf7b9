"""Examples of users who are texts: documents, batches that read them, and what they count for."""

from dataclasses import replace

import numpy as np

from interestrec.model.two_tower_config import ItemCodes
from interestrec.text.text_inputs import TextInputs
from interestrec.training.batches import BatchLimits, batch_offsets
from interestrec.training.examples import Examples
from interestrec.training.negative_sampler import NegativeSampler
from interestrec.training.user_text_examples import extend_codes, with_documents
from tests.training.requests import builder, requests, timeline

CLS, SEP = 2, 3
ITEMS = TextInputs(np.array([0, 3, 6, 10]), np.array([CLS, 10, SEP, CLS, 11, SEP, CLS, 12, 13, SEP], np.int32), 0)
LOG = timeline([0, 1, 2, 0], [1, 0.5, 1, 0])


def examples(*ranges: tuple[int, int]) -> Examples:
    """Events of item 1 after the given histories."""
    start, end = np.array(ranges, np.int64).reshape(-1, 2).T
    return requests(*[[1]] * len(ranges), start=start, end=end)


def given() -> tuple[TextInputs, Examples, Examples]:
    first, second = examples((0, 2), (0, 0), (0, 4), (3, 4)), examples((1, 2), (0, 2), (1, 3))
    parts = [(first, np.arange(4)), (second, np.array([1, 2]))]
    texts, (first, second) = with_documents(ITEMS, parts, LOG, max_history=2, max_length=6)
    return texts, first, second


def test_documents_follow_the_items_and_equal_ranges_share_one() -> None:
    texts, first, second = given()
    assert len(texts) == 3 + 3
    np.testing.assert_array_equal(texts.tokens[:10], ITEMS.tokens)
    assert first.document is not None
    assert second.document is not None

    def read(row: int) -> list[int]:
        return texts.tokens[texts.offsets[row] : texts.offsets[row + 1]].tolist()

    assert read(first.document[0]) == [CLS, 11, SEP, 10, SEP]
    assert read(first.document[2]) == [CLS, 12, 13, SEP]  # of the last two events the last is no interest
    assert first.document[[1, 3]].tolist() == [-1, -1]
    assert second.document[0] == -1  # not asked for
    assert second.document[1] == first.document[0]
    assert read(second.document[2]) == [CLS, 12, 13, SEP, 11, SEP]
    assert second.select(np.array([2, 0])).document.tolist() == second.document[[2, 0]].tolist()


def test_an_omitted_event_is_no_part_of_the_document() -> None:
    around = replace(examples((0, 3), (0, 3)), omitted=np.array([1, 2]))
    texts, (around,) = with_documents(ITEMS, [(around, np.arange(2))], LOG, max_history=2, max_length=9)
    assert around.document is not None
    found = [texts.tokens[texts.offsets[row] : texts.offsets[row + 1]].tolist() for row in around.document]
    assert found == [[CLS, 12, 13, SEP, 10, SEP], [CLS, 11, SEP, 10, SEP]]


def test_a_batch_reads_one_text_of_intensity_1_and_hits_are_of_the_whole_history() -> None:
    _, first, _ = given()
    source = NegativeSampler.from_popularity(np.ones(3), 20, 20)
    batch = builder(LOG, 3, max_history=2).build(first, source, np.random.default_rng(0))
    np.testing.assert_array_equal(batch.intensity, np.array([[1], [0], [1], [0]], np.float32))
    some = batch.intensity[:, 0] > 0
    np.testing.assert_array_equal(batch.distinct[batch.history[some, 0]], first.document[some])
    np.testing.assert_array_equal(batch.distinct[batch.shared], [0, 1, 2])
    shown = [set(np.flatnonzero(row[1:]).tolist()) for row in batch.present]
    assert shown == [{2}, {0, 2}, set(), {2}]  # 1 is asked for
    np.testing.assert_array_equal(batch.present[:, 0], [False, True, False, True])  # where it was not read
    np.testing.assert_array_equal(batch.days, np.zeros((4, 1)))


def test_the_tokens_of_a_batch_are_those_of_its_documents() -> None:
    texts, first, _ = given()
    order = np.arange(4)
    # Item 1 has 3 tokens, the two documents 5 and 4.
    for limit, expected in {12: [0, 4], 11: [0, 2, 4], 3: [0, 1, 2, 3, 4]}.items():
        assert batch_offsets(first, LOG, order, BatchLimits(9, limit, texts.lengths), 2).tolist() == expected


def test_documents_have_no_attributes_and_no_category() -> None:
    codes = ItemCodes(np.full((3, 2), 5, np.int32), np.full((3, 1), 4, np.int32), np.ones(3, np.float32))
    found = extend_codes(codes, 5)
    np.testing.assert_array_equal(found.attributes, [[5, 5]] * 3 + [[0, 0]] * 2)
    np.testing.assert_array_equal(found.categories, [[4]] * 3 + [[-1]] * 2)
    assert found.categories.dtype == np.int32
    np.testing.assert_array_equal(found.prices, np.array([1, 1, 1, np.nan, np.nan], np.float32))
