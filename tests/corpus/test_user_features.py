"""Fields of users: whom they are fitted on, and whose code is whose."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from interestrec.core.errors import ConfigError, DataError
from interestrec.corpus.feature_codes import FittedFeatures
from interestrec.corpus.store import Corpus, Timelines
from interestrec.corpus.user_features import fit_user_features
from interestrec.corpus.user_settings import UsersSettings


def corpus(path: Path) -> Corpus:
    """Users a to e; a has 3 positive train events, b and c have 2, d has one of intensity 0, e two in valid."""
    user = np.array([0, 0, 0, 1, 1, 2, 2, 3, 4, 4], np.int32)
    made = Corpus(path, None)
    made.__dict__["users"] = pa.table(
        {
            "user": range(5),
            "user_id": list("abcde"),
            "valid_part": ["valid_select"] * 5,
            "age": [20.0, 30.0, None, 1.0, 99.0],
            "city": ["x", "x", None, "y", "y"],
            "likes": ["r, s", "s", "s, r", None, "new"],
            "shoe": [None, None, None, None, "sandal"],
        }
    )
    made.__dict__["timelines"] = Timelines(
        offsets=np.array([0, 3, 5, 7, 8, 10]),
        user=user,
        item=np.zeros(10, np.int32),
        time=np.zeros(10, np.int64),
        intensity=np.array([1, 1, 1, 1, 1, 1, 1, 0, 1, 1], np.float32),
        split=np.array([0] * 8 + [1] * 2, np.int8),
    )
    return made


def fitted(path: Path, *fields: dict[str, Any], before: dict[str, Any] | None = None) -> FittedFeatures:
    return fit_user_features(corpus(path), UsersSettings(fields=list(fields)).fields, before)


ALL = (
    {"name": "age", "kind": "number", "buckets": 2},
    {"name": "town", "kind": "category", "column": "city"},
    {"name": "likes", "kind": "tags", "separator": ","},
    {"name": "id", "kind": "id", "events": 2},
)


def test_by_hand(tmp_path: Path) -> None:
    found = fitted(tmp_path, *ALL)
    assert [tuple(shape) for shape in found.sizes] == [
        ("age", (3,), 1, 0),
        ("town", (2,), 1, 0),
        ("likes", (3,), 2, 0),
        ("id", (4,), 1, 0),
    ]
    np.testing.assert_array_equal(found.codes[:, 0], [1, 2, 0, 1, 2])
    np.testing.assert_array_equal(found.codes[:, 1], [1, 1, 0, 0, 0])
    np.testing.assert_array_equal(found.codes[:, 2:4], [[1, 2], [2, 0], [2, 1], [0, 0], [0, 0]])
    assert sorted(found.codes[:3, 4]) == [1, 2, 3]
    assert found.codes[3:, 4].tolist() == [0, 0]
    assert found.dense.shape == (5, 0)


def test_no_id_stands_in_what_is_stored(tmp_path: Path) -> None:
    stored = fitted(tmp_path, ALL[-1]).fitted["id"]["users"]
    assert len(stored) == 3
    assert all(len(digest) == 32 for digest in stored)


def test_codes_keep_their_meaning_for_another_corpus(tmp_path: Path) -> None:
    first = fitted(tmp_path, *ALL)
    known = {**first.fitted, "id": {"kind": "id", "users": first.fitted["id"]["users"][1:]}}
    again = fitted(tmp_path, *ALL, before=known)
    np.testing.assert_array_equal(again.codes[:, 4], np.maximum(first.codes[:, 4] - 1, 0))
    np.testing.assert_array_equal(again.codes[:, :4], first.codes[:, :4])


def test_faults(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"no column 'agge' of users \(did you mean 'age'\?\); list it in data\.users"
    ):
        fitted(tmp_path, {"name": "agge", "kind": "number"})
    with pytest.raises(ConfigError, match="no column 'user_id' of users"):
        fitted(tmp_path, {"name": "user_id", "kind": "category"})
    with pytest.raises(ConfigError, match="holds words; write kind: category"):
        fitted(tmp_path, {"name": "city", "kind": "number"})
    with pytest.raises(DataError, match=r"no user of train has a known shoe; remove 'shoe' from users\.fields"):
        fitted(tmp_path, {"name": "shoe", "kind": "category"})


def test_an_id_that_nobody_has_events_enough_for_is_no_mistake(tmp_path: Path) -> None:
    found = fitted(tmp_path, {"name": "id", "kind": "id", "events": 4})
    assert [shape.sizes for shape in found.sizes] == [(1,)]
    assert not found.codes.any()
