"""Fields of users as codes: kept columns, and a code per user with enough positive train events."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from interestrec.corpus.feature_codes import FeatureCodes, FeatureShape, FittedFeatures
from interestrec.corpus.own_features import fit_fields, fit_own, kept_column
from interestrec.corpus.store import Corpus
from interestrec.corpus.user_settings import UserField, UserIdField
from interestrec.io.schemas import TRAIN


def fit_user_features(
    corpus: Corpus, fields: Sequence[UserField], fitted_before: Mapping[str, Any] | None = None
) -> FittedFeatures:
    """Fit fields of users on those with a positive train event and compute the codes of all users of a corpus.

    Code 0 is a missing or unknown value; users without enough train events share code 0 of `id`.

    Args:
        fitted_before: parameters by field, fitted for another model, to be used as they are, so that codes keep their
            meaning.

    Raises:
        ConfigError: the corpus has no column that a field reads, or values of another kind in it.
        DataError: no user with a positive train event has the attribute.
    """
    timelines = corpus.timelines
    is_liked = (timelines.split == TRAIN) & (timelines.intensity > 0)
    events = np.bincount(timelines.user[is_liked], minlength=corpus.users.num_rows)

    def fit(field: UserField, before: dict[str, Any] | None) -> FeatureCodes:
        if isinstance(field, UserIdField):
            return _ids(corpus.users["user_id"].to_pylist(), events, field.events, before)
        column = kept_column(corpus.users, field, corpus.user_attributes, "users")
        return fit_own(field, column, events > 0, before)

    return fit_fields(corpus.path, "user", fields, fit, events > 0, fitted_before)


def _ids(user_ids: list[str], events: np.ndarray, min_events: int, before: dict[str, Any] | None) -> FeatureCodes:
    """Return a code per user with enough events; {"users": digests, sorted} names nobody in a file without a table."""
    digests = [hashlib.sha256(user_id.encode()).hexdigest()[:32] for user_id in user_ids]
    chosen = sorted(digest for digest, count in zip(digests, events, strict=True) if count >= min_events)
    fitted = before or {"kind": "id", "users": chosen}
    position = {digest: number for number, digest in enumerate(fitted["users"], 1)}
    codes = np.array([position.get(digest, 0) for digest in digests], np.int32)[:, None]
    return FeatureCodes(FeatureShape("id", (1 + len(fitted["users"]),)), codes, fitted)
