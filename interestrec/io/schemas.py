"""The schema of every table that stages exchange; other programs read these files too.

A change that makes older files unreadable, such as another name, type or meaning of a column, raises the major number
of `SCHEMA_VERSION`; a compatible change, such as a new file or column, raises the minor number. If only one kind of
artifact becomes unreadable, the minor number rises, and `OLDEST_MINOR` tells it. `tests/golden/` has artifacts of each
version that is still read.
"""

from typing import TYPE_CHECKING

import pyarrow as pa

from interestrec.core.modality_names import MODALITY, NO_MODALITY
from interestrec.io.vector_columns import vector_type

if TYPE_CHECKING:
    from collections.abc import Mapping

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

WORD = pa.dictionary(pa.int32(), pa.string())
_TIME = pa.timestamp("us", tz="UTC")


def required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


# Attributes of items follow, see `with_attributes`.
ITEMS = pa.schema(
    [
        required("item", pa.int32()),
        required("item_id", pa.string()),
        required("title", pa.string()),
        required("text", pa.string()),
        pa.field("category", pa.string()),
        pa.field("price", pa.float64()),
        pa.field("published", _TIME),
        required("has_text", pa.bool_()),
    ]
)

# One row per item: tokens of the two text columns, without special tokens and without a length limit.
TEXT_FEATURES = pa.schema(
    [
        required("item", pa.int32()),
        required("title_tokens", pa.list_(pa.int32())),
        required("text_tokens", pa.list_(pa.int32())),
    ]
)

# `valid_part` is the half of the validation split that the user's hash selects. Attributes of users follow, see
# `with_attributes`.
USERS = pa.schema([required("user", pa.int32()), required("user_id", pa.string()), required("valid_part", WORD)])

# Sorted by user and position; `position` counts from 0 within the user.
TIMELINES = pa.schema(
    [
        required("user", pa.int32()),
        required("item", pa.int32()),
        pa.field("time", _TIME),
        required("event", WORD),
        pa.field("value", pa.float64()),
        required("intensity", pa.float32()),
        required("split", WORD),
        required("position", pa.int32()),
    ]
)

# `history_start` and `history_end` are positions in the user's timeline, the end exclusive.
IMPRESSIONS = pa.schema(
    [
        required("impression", pa.int64()),
        required("impression_id", pa.string()),
        required("user", pa.int32()),
        pa.field("time", _TIME),
        required("split", WORD),
        required("history_start", pa.int32()),
        required("history_end", pa.int32()),
    ]
)

CANDIDATES = pa.schema(
    [required("impression", pa.int64()), required("item", pa.int32()), pa.field("label", pa.float32())]
)

# One row per item, in their order. `key` is the first 16 bytes of the SHA-256 of the picture's bytes; null unless the
# status is `ok`, which says that the header and the size were checked, not that the picture decodes.
PICTURE_OK, PICTURE_MISSING, PICTURE_BROKEN = "ok", "missing", "broken"
PICTURE_TOO_LARGE, PICTURE_NONE, PICTURE_OUTSIDE = "too large", "no picture", "outside"
PICTURE_STATUSES = (
    PICTURE_OK,
    PICTURE_MISSING,  # no path, no file or no bytes
    PICTURE_BROKEN,  # the header is damaged
    PICTURE_TOO_LARGE,
    PICTURE_NONE,  # a file of another kind, or an empty one
    PICTURE_OUTSIDE,  # the path leads out of the directory of pictures
)
PICTURES = pa.schema([required("item", pa.int32()), pa.field("key", pa.binary(16)), required("status", WORD)])

FOLDS = pa.schema(
    [
        required("fold", pa.int32()),
        required("metric", pa.string()),
        required("value", pa.float64()),
        required("n", pa.int64()),  # held-out examples
    ]
)
TRAINING_LOG = pa.schema(
    [
        required("step", pa.int64()),
        required("epoch", pa.int32()),
        required("name", pa.string()),
        required("value", pa.float64()),
    ]
)

# `predicted` is the system's prediction of the intensity, in [0, 1]. Both ranking tables have, after these columns, one
# float32 column per component of the ensemble, null for every system except `interestrec`.
RANKED_IMPRESSIONS = pa.schema(
    [
        required("system", WORD),
        required("impression_id", pa.string()),
        required("user_id", pa.string()),
        required("item_id", pa.string()),
        pa.field("label", pa.float32()),
        pa.field("relevant", pa.bool_()),
        required("score", pa.float64()),
        required("rank", pa.int32()),
        required("predicted", pa.float32()),
    ]
)

RANKED_CATALOGUE = pa.schema(
    [
        required("system", WORD),
        required("user_id", pa.string()),
        required("item_id", pa.string()),
        required("rank", pa.int32()),
        required("score", pa.float64()),
        required("predicted", pa.float32()),
    ]
)

TRUTH = pa.schema(
    [
        required("user_id", pa.string()),
        required("item_id", pa.string()),
        pa.field("label", pa.float32()),
        required("relevant", pa.bool_()),
    ]
)

# The first item of lists, scored again without some events of the history. `removed` events are those of the largest
# effect, those of the largest attention weight, or random ones (`by`); values of random ones are means over draws.
BY_EFFECT, BY_ATTENTION, BY_RANDOM = "effect", "attention", "random"
DELETIONS = pa.schema(
    [
        required("user_id", pa.string()),
        required("item_id", pa.string()),
        required("history", pa.int32()),  # number of events
        required("cold_item", pa.bool_()),
        required("by", WORD),
        required("removed", pa.int32()),
        required("score_drop", pa.float64()),
        required("rank", pa.float64()),  # without these events
    ]
)

# Predictions of the model's tasks for test events with a known label, in its units; `weight` is 1, that of a sampled
# negative the number of items that it stands for.
TASK_PREDICTIONS = pa.schema(
    [
        required("task", WORD),
        required("kind", WORD),
        required("user_id", pa.string()),
        required("item_id", pa.string()),
        required("label", pa.float32()),
        required("predicted", pa.float32()),
        required("weight", pa.float32()),
    ]
)
VECTOR_KEY = pa.binary(16)  # identifies a text by its tokens
HIDDEN_KEYS = pa.schema(
    [
        required("key", VECTOR_KEY),
        required("start", pa.int64()),  # first row of the text in the accompanying array
        required("length", pa.int64()),
        required("sha256", pa.string()),  # digest of the array's file
    ]
)


def vector_cache(width: int) -> pa.Schema:
    """Return the schema of a shard of the text vector cache."""
    return pa.schema([required("key", VECTOR_KEY), required("vector", vector_type(width))])


def item_vectors(width: int) -> pa.Schema:
    """Return the schema of the vectors exported by `encode`, one row per item of the corpus."""
    return pa.schema([required("item_id", pa.string()), required("vector", vector_type(width))])


def is_part(system: str) -> bool:
    """Return whether a system is a variant of the ensemble made for analysis, not a rival."""
    return system.startswith((ONLY, WITHOUT, MODALITY, NO_MODALITY)) or system == BEFORE_RULES


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
