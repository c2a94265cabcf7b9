"""Sums whose blocks are in memory are the sums themselves."""

import numpy as np
import pytest
from scipy import sparse

from interestrec.core import cell_sums, kept_blocks
from interestrec.core.column_products import PairProducts


def products() -> PairProducts:
    rng = np.random.default_rng(0)
    seen = sparse.csr_matrix((rng.random((9, 7)) < 0.4) * rng.random((9, 7)))
    return PairProducts(seen, seen, np.arange(9), power=2)


def test_blocks_in_memory_are_those_of_the_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_sums, "_ENTRIES", 14)
    sums, items = products(), np.arange(7)
    kept = kept_blocks.keep_blocks(sums, items)
    assert isinstance(kept, kept_blocks.KeptBlocks)
    assert len(kept.rows) > 1
    for wanted in (items, np.array([0, 2, 5])):
        found, expected = (sparse.vstack(list(part.blocks(wanted))).toarray() for part in (kept, sums))
        np.testing.assert_array_equal(found, expected)
    assert kept.power == 2
    np.testing.assert_array_equal(kept.stored().value, sums.stored().value)


def test_more_entries_than_memory_is_for_stay_to_be_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_blocks, "_ENTRIES", 3)
    sums = products()
    assert kept_blocks.keep_blocks(sums, np.arange(7)) is sums
