"""The schema of every table that stages exchange; other programs read these files too.

A change that makes older files unreadable, such as another name, type or meaning of a column, raises the major number
of `SCHEMA_VERSION`; a compatible change, such as a new file or column, raises the minor number. If only one kind of
artifact becomes unreadable, the minor number rises, and `OLDEST_MINOR` tells it. `tests/golden/` has artifacts of each
version that is still read.
"""

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

SCHEMA_VERSION = "1.2"
# By kind, if not 0. 1.1: systems.json has the blend by users and items. 1.2: a model has the fused vectors of items,
# features of users and logits of order and of strength.
OLDEST_MINOR = {"rankings": 1, "model": 2}

SPLITS = ("train", "valid", "test")
TRAIN, VALID, TEST = range(len(SPLITS))  # codes in arrays: positions in SPLITS
VALID_PARTS = ("valid_select", "valid_blend")

# Names of systems in the ranking tables that are not scorers: the ensemble; prefixes of the ensemble with one component
# only and without one component; and the ensemble's lists before the rules are applied.
OURS = "interestrec"
ONLY, WITHOUT, BEFORE_RULES = "only:", "without:", "before_rules"

HISTORY_EVENT = "history"  # event of timeline rows from a logged history, which have no time

_WORD = pa.dictionary(pa.int32(), pa.string())
_TIME = pa.timestamp("us", tz="UTC")


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


# Attributes of items follow, see `with_attributes`.
ITEMS = pa.schema(
    [
        _required("item", pa.int32()),
        _required("item_id", pa.string()),
        _required("title", pa.string()),
        _required("text", pa.string()),
        pa.field("category", pa.string()),
        pa.field("price", pa.float64()),
        pa.field("published", _TIME),
        _required("has_text", pa.bool_()),
    ]
)

# One row per item: tokens of the two text columns, without special tokens and without a length limit.
TEXT_FEATURES = pa.schema(
    [
        _required("item", pa.int32()),
        _required("title_tokens", pa.list_(pa.int32())),
        _required("text_tokens", pa.list_(pa.int32())),
    ]
)

# `valid_part` is the half of the validation split that the user's hash selects. Attributes of users follow, see
# `with_attributes`.
USERS = pa.schema([_required("user", pa.int32()), _required("user_id", pa.string()), _required("valid_part", _WORD)])

# Sorted by user and position; `position` counts from 0 within the user.
TIMELINES = pa.schema(
    [
        _required("user", pa.int32()),
        _required("item", pa.int32()),
        pa.field("time", _TIME),
        _required("event", _WORD),
        pa.field("value", pa.float64()),
        _required("intensity", pa.float32()),
        _required("split", _WORD),
        _required("position", pa.int32()),
    ]
)

# `history_start` and `history_end` are positions in the user's timeline, the end exclusive.
IMPRESSIONS = pa.schema(
    [
        _required("impression", pa.int64()),
        _required("impression_id", pa.string()),
        _required("user", pa.int32()),
        pa.field("time", _TIME),
        _required("split", _WORD),
        _required("history_start", pa.int32()),
        _required("history_end", pa.int32()),
    ]
)

CANDIDATES = pa.schema(
    [_required("impression", pa.int64()), _required("item", pa.int32()), pa.field("label", pa.float32())]
)

FOLDS = pa.schema(
    [
        _required("fold", pa.int32()),
        _required("metric", pa.string()),
        _required("value", pa.float64()),
        _required("n", pa.int64()),  # held-out examples
    ]
)
TRAINING_LOG = pa.schema(
    [
        _required("step", pa.int64()),
        _required("epoch", pa.int32()),
        _required("name", pa.string()),
        _required("value", pa.float64()),
    ]
)

# `predicted` is the system's prediction of the intensity, in [0, 1]. Both ranking tables have, after these columns, one
# float32 column per component of the ensemble, null for every system except `interestrec`.
RANKED_IMPRESSIONS = pa.schema(
    [
        _required("system", _WORD),
        _required("impression_id", pa.string()),
        _required("user_id", pa.string()),
        _required("item_id", pa.string()),
        pa.field("label", pa.float32()),
        pa.field("relevant", pa.bool_()),
        _required("score", pa.float64()),
        _required("rank", pa.int32()),
        _required("predicted", pa.float32()),
    ]
)

RANKED_CATALOGUE = pa.schema(
    [
        _required("system", _WORD),
        _required("user_id", pa.string()),
        _required("item_id", pa.string()),
        _required("rank", pa.int32()),
        _required("score", pa.float64()),
        _required("predicted", pa.float32()),
    ]
)

TRUTH = pa.schema(
    [
        _required("user_id", pa.string()),
        _required("item_id", pa.string()),
        pa.field("label", pa.float32()),
        _required("relevant", pa.bool_()),
    ]
)

METRICS = pa.schema(
    [
        _required("system", pa.string()),
        _required("protocol", pa.string()),
        _required("slice", pa.string()),
        _required("metric", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("ci_low", pa.float64()),
        pa.field("ci_high", pa.float64()),
        _required("n", pa.int64()),
        _required("dropped", pa.int64()),
        pa.field("seed_sd", pa.float64()),  # standard deviation between seeds; null for one seed
    ]
)

COMPARISONS = pa.schema(
    [
        _required("protocol", pa.string()),
        _required("slice", pa.string()),
        _required("metric", pa.string()),
        _required("system_a", pa.string()),
        _required("system_b", pa.string()),
        _required("difference", pa.float64()),
        _required("ci_low", pa.float64()),
        _required("ci_high", pa.float64()),
        _required("p", pa.float64()),
        _required("p_holm", pa.float64()),
    ]
)

# The same rows of several test windows: `window` is null for the mean over windows, counted back from the last, which
# is 1. `window_sd` is the standard deviation between windows.
_WINDOW = pa.field("window", pa.int32())
WINDOW_METRICS = pa.schema([_WINDOW, *METRICS, pa.field("window_sd", pa.float64())])
WINDOW_COMPARISONS = pa.schema([_WINDOW, *COMPARISONS])

# Difference between the best and the worst slice of users per system; a family is `activity` or a user attribute.
GAPS = pa.schema(
    [
        _required("system", pa.string()),
        _required("protocol", pa.string()),
        _required("family", pa.string()),
        _required("metric", pa.string()),
        _required("best", pa.string()),  # name of the slice
        _required("worst", pa.string()),
        _required("best_value", pa.float64()),
        _required("worst_value", pa.float64()),
        _required("gap", pa.float64()),  # never below 0
        pa.field("ci_low", pa.float64()),
        pa.field("ci_high", pa.float64()),
    ]
)

# Shares between 0 and 1 per top-level category; the category is null for items without one.
EXPOSURE = pa.schema(
    [
        _required("system", pa.string()),
        pa.field("category", pa.string()),
        _required("exposure", pa.float64()),  # share of the positions in all lists
        _required("catalogue", pa.float64()),  # share of the items
        _required("train_events", pa.float64()),  # share of the positive train events
    ]
)

PER_USER = pa.schema(
    [
        _required("system", _WORD),
        _required("protocol", _WORD),
        _required("user_id", pa.string()),
        _required("metric", _WORD),
        _required("value", pa.float64()),
        _required("n", pa.int64()),
    ]
)

VECTOR_KEY = pa.binary(16)  # identifies a text by its tokens
HIDDEN_KEYS = pa.schema(
    [
        _required("key", VECTOR_KEY),
        _required("start", pa.int64()),  # first row of the text in the accompanying array
        _required("length", pa.int64()),
        _required("sha256", pa.string()),  # digest of the array's file
    ]
)


def vector(width: int) -> pa.DataType:
    """Return the type of a column of vectors."""
    return pa.list_(pa.field("element", pa.float32(), nullable=False), width)


def vector_column(vectors: "np.ndarray") -> pa.FixedSizeListArray:
    """Convert vectors, float32 [rows, width], to a column of type `vector`."""
    values = pa.array(vectors.reshape(-1), pa.float32())
    return pa.FixedSizeListArray.from_arrays(values, type=vector(vectors.shape[1]))


def vector_matrix(column: pa.ChunkedArray) -> "np.ndarray":
    """Invert `vector_column`: float32 [rows, width]."""
    joined = column.combine_chunks()
    return joined.flatten().to_numpy().reshape(len(joined), column.type.list_size)


def vector_cache(width: int) -> pa.Schema:
    """Return the schema of a shard of the text vector cache."""
    return pa.schema([_required("key", VECTOR_KEY), _required("vector", vector(width))])


def item_vectors(width: int) -> pa.Schema:
    """Return the schema of the vectors exported by `encode`, one row per item of the corpus."""
    return pa.schema([_required("item_id", pa.string()), _required("vector", vector(width))])


def is_part(system: str) -> bool:
    """Return whether a system is a variant of the ensemble made for analysis, not a rival."""
    return system.startswith((ONLY, WITHOUT)) or system == BEFORE_RULES


def with_attributes(schema: pa.Schema, attributes: "Mapping[str, pa.DataType]") -> pa.Schema:
    """Append one nullable column per attribute to the schema of users or items.

    An attribute is a string, or float64 if all values are numbers; those of items may also be lists of words,
    list<string>, or vectors, list<float32>.
    """
    for name, kind in attributes.items():
        schema = schema.append(pa.field(name, kind))
    return schema


def with_components(schema: pa.Schema, components: list[str]) -> pa.Schema:
    """Append one nullable float32 column per component to a ranking schema."""
    for name in components:
        schema = schema.append(pa.field(name, pa.float32()))
    return schema
