"""Category paths as codes: `sports/football` is in `sports` and in `sports/football`."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

LEVELS = 2
SEPARATOR = "/"


def category_codes(category: pa.ChunkedArray) -> np.ndarray:
    """Return the codes of the first part and of the complete path of each category.

    Args:
        category: string [items], null where an item has none.

    Returns:
        int32 [items, LEVELS], -1 for none. Codes have meaning only for equality within a level.
    """
    first = pc.list_element(pc.split_pattern(category, SEPARATOR, max_splits=1), 0)
    return np.stack([_codes(first), _codes(category)], axis=1)


def _codes(values: pa.ChunkedArray) -> np.ndarray:
    encoded = pc.dictionary_encode(values).combine_chunks()
    return pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int32)
