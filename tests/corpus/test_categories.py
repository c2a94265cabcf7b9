import numpy as np
import pyarrow as pa

from interestrec.corpus.categories import category_codes


def test_first_part_and_whole_path() -> None:
    codes = category_codes(pa.chunked_array([["a/x", "a/y", None, "b", "a/x"]]))
    assert codes.shape == (5, 2)
    assert codes.dtype == np.int32
    assert codes[2].tolist() == [-1, -1]
    assert codes[0, 0] == codes[1, 0] == codes[4, 0] != codes[3, 0]
    assert codes[0, 1] == codes[4, 1] != codes[1, 1]


def test_a_corpus_without_categories() -> None:
    np.testing.assert_array_equal(category_codes(pa.chunked_array([pa.nulls(3, pa.string())])), np.full((3, 2), -1))
