"""What a Parquet file may say of its size."""

from types import SimpleNamespace
from typing import Any

import pytest

from interestrec.io.parquet_limits import limit_violation


def says(columns: int = 4, rows: int = 1000, unpacked: int = 100_000) -> Any:
    groups = [SimpleNamespace(total_byte_size=unpacked // 2)] * 2
    return SimpleNamespace(num_columns=columns, num_rows=rows, num_row_groups=2, row_group=groups.__getitem__)


@pytest.mark.parametrize(
    ("told", "size", "fault"),
    [
        (says(), 10_000, None),
        (says(columns=1_000), 10_000, None),
        (says(columns=1_001), 10_000, "1,001 columns"),
        (says(rows=10_000_000), 1, None),
        (says(rows=10_000_001), 10_000, "claims 10,000,001 rows in 10,000 bytes"),
        (says(rows=2_000_000_000), 200_000_000, None),
        (says(rows=2_000_000_010), 200_000_000, "rows"),
        (says(unpacked=1 << 30), 1, None),
        (says(unpacked=(1 << 30) + 2), 10_000, "claims to unpack"),
        (says(unpacked=2_000_000_000), 2_000_000, None),
        (says(unpacked=2_000_000_002), 2_000_000, "claims to unpack"),
    ],
)
def test_bounds(told: Any, size: int, fault: str | None) -> None:
    found = limit_violation(told, size)
    assert found is None if fault is None else found is not None and fault in found
