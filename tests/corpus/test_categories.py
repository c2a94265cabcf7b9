"""Category paths as codes."""

import numpy as np
import pyarrow as pa

from interestrec.corpus.categories import category_codes


def test_levels_of_a_path() -> None:
    codes = category_codes(pa.chunked_array([["sports/football", "sports/golf", None], ["food", "sports/golf"]]))
    assert codes.shape == (5, 2)
    assert codes.dtype == np.int32
    first, whole = codes.T
    assert first[0] == first[1] == first[4] != first[3]
    assert whole[1] == whole[4]
    assert len({whole[0], whole[1], whole[3]}) == 3
    np.testing.assert_array_equal(codes[2], [-1, -1])


def test_a_corpus_without_categories() -> None:
    np.testing.assert_array_equal(category_codes(pa.chunked_array([pa.nulls(3, pa.string())])), np.full((3, 2), -1))
