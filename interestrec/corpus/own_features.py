"""Columns that the configuration keeps, as features: categories, numbers, tags and vectors.

Features are fitted on the rows with a positive train event; the codes of any row follow from what was fitted alone.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from interestrec.core.choices import suggestion
from interestrec.core.errors import ConfigError, DataError
from interestrec.corpus.column_values import numbers_of, tags_of, vectors_of, words_of
from interestrec.corpus.feature_codes import FeatureCodes, FeatureShape, FittedFeatures
from interestrec.corpus.own_fields import ID, OwnField
from interestrec.corpus.quantile_buckets import bucket_codes, quantile_edges

_MIN_ROWS = 2  # with a word: a vector learned from a single row would describe the row
_MOST_TAGS = 16  # of a row that are read
_TAGS_QUANTILE = 0.95  # of the numbers of known tags per train row: more tags than that of a row are not read
_CLIP = 5.0  # standard deviations


def fit_own(
    field: OwnField, column: pa.ChunkedArray, is_positive: np.ndarray, fitted_before: dict[str, Any] | None
) -> FeatureCodes:
    """Return the feature of a field, of kind category, number, tags or vector, over a column of the corpus.

    Args:
        is_positive: bool [rows], the rows that the feature is fitted on.
        fitted_before: parameters to use as they are instead.

    Raises:
        ConfigError: the column does not hold values of the field's kind, or the parameters are those of another kind.
    """
    if fitted_before is not None and fitted_before.get("kind") != field.kind:
        raise ConfigError(
            f"the field '{field.name}' is of kind {field.kind}, but of kind {fitted_before.get('kind')} in the start "
            "model; train without --from"
        )
    return _KINDS[field.kind](field, column, is_positive, fitted_before)


def fit_fields(
    corpus: Path,
    entity: str,
    fields: Sequence[Any],
    fit: Callable[[Any, dict[str, Any] | None], FeatureCodes],
    is_positive: np.ndarray,
    fitted_before: Mapping[str, Any] | None,
) -> FittedFeatures:
    """Return the features of all fields of items or of users, side by side.

    Args:
        corpus: directory of the corpus, which messages name.
        entity: `item` or `user`.
        fit: returns the feature of a field; its second argument are the parameters fitted before, None without any.
        is_positive: bool [rows], the rows that features are fitted on.
        fitted_before: parameters by field, to be used as they are.

    Raises:
        DataError: no row of `is_positive` has a known value of a field that is fitted now, the id aside.
    """
    found = []
    for field in fields:
        codes = fit(field, (fitted_before or {}).get(field.name))
        if fitted_before is None and field.name != ID and not codes.is_known(is_positive):
            raise DataError(
                f"{corpus}: no {entity} of train has a known {field.name}; remove '{field.name}' from {entity}s.fields"
            )
        found.append(codes)
    return FittedFeatures.joined(found, len(is_positive))


def kept_column(table: pa.Table, field: OwnField, names: Sequence[str], entities: str) -> pa.ChunkedArray:
    """Return the column that a field reads from a table of items or users; `names` are the columns that it may read.

    Raises:
        ConfigError: the corpus does not have it.
    """
    if field.source not in names:
        raise ConfigError(
            f"{entities}.fields: the corpus has no column '{field.source}' of {entities}"
            f"{suggestion(field.source, names)}; list it in data.{entities}.attributes and run `interestrec preprocess`"
        )
    return table[field.source]


def fit_words(words: Sequence[Sequence[str]], is_positive: np.ndarray) -> list[str]:
    """Return the words that at least 2 of the positive rows have, sorted; `words` are those of each row."""
    counts = Counter(word for row in np.flatnonzero(is_positive).tolist() for word in set(words[row]))
    return sorted(word for word, count in counts.items() if count >= _MIN_ROWS)


def fit_tags(tags: Sequence[Sequence[str]], is_positive: np.ndarray) -> dict[str, Any]:
    """Return the tags that at least 2 rows have, and how many of a row are read: {"names": sorted, "most": number}.

    `most` is the 95 % quantile of the numbers of known tags of the positive rows that have any, at most 16.
    """
    names = fit_words(tags, is_positive)
    known = set(names)
    counts = [len(known.intersection(tags[row])) for row in np.flatnonzero(is_positive).tolist()]
    filled = [count for count in counts if count]
    most = int(np.ceil(np.quantile(filled, _TAGS_QUANTILE))) if filled else 1
    return {"names": names, "most": min(most, _MOST_TAGS)}


def tag_codes(tags: Sequence[Sequence[str]], fitted: dict[str, Any]) -> np.ndarray:
    """Return int32 [rows, most]: 1 + the positions of a row's first known tags in `fit_tags`, distinct, then 0."""
    position = {name: number for number, name in enumerate(fitted["names"], 1)}
    codes = np.zeros((len(tags), fitted["most"]), np.int32)
    for row, names in enumerate(tags):
        known = list(dict.fromkeys(position[name] for name in names if name in position))[: fitted["most"]]
        codes[row, : len(known)] = known
    return codes


def number_codes(numbers: np.ndarray, edges: list[float]) -> np.ndarray:
    """Return int32 [rows], the bucket from 1, the outermost one beyond all fitted numbers; 0 where missing (NaN)."""
    known = np.isfinite(numbers)
    return np.where(known, bucket_codes(np.where(known, numbers, 0.0), edges), 0).astype(np.int32)


def fit_vectors(vectors: np.ndarray, is_positive: np.ndarray) -> dict[str, Any]:
    """Return the mean and the deviation (1 where it is 0) of each of the numbers: {"mean", "deviation"}.

    Args:
        vectors: float32 [rows, d], NaN in rows without a vector.
    """
    known = vectors[is_positive & np.isfinite(vectors).all(axis=1)].astype(np.float64)
    if not len(known):
        return {"mean": [0.0] * vectors.shape[1], "deviation": [1.0] * vectors.shape[1]}
    deviation = np.where(np.ptp(known, axis=0) > 0, known.std(axis=0), 1.0)
    return {"mean": known.mean(axis=0).tolist(), "deviation": deviation.tolist()}


def dense_values(vectors: np.ndarray, fitted: dict[str, Any]) -> np.ndarray:
    """Return float32 [rows, d + 1]: standardised vectors over √d, then 1; all 0 in rows without a vector.

    Standardised numbers are cut at 5 deviations. The factor gives them a norm of about 1, like that of a text's vector,
    so that weights on both learn at similar rates.
    """
    known = np.isfinite(vectors).all(axis=1)
    width = vectors.shape[1]
    z = (np.where(known[:, None], vectors, 0.0) - np.array(fitted["mean"])) / np.array(fitted["deviation"])
    values = np.concatenate([np.clip(z, -_CLIP, _CLIP) / np.sqrt(width), np.ones((len(vectors), 1))], axis=1)
    return np.where(known[:, None], values, 0.0).astype(np.float32)


def _category(
    field: OwnField, column: pa.ChunkedArray, is_positive: np.ndarray, before: dict[str, Any] | None
) -> FeatureCodes:
    words = words_of(field, column)
    fitted = before or {"kind": field.kind, "names": fit_words(words, is_positive)}
    codes = tag_codes(words, {**fitted, "most": 1})
    return FeatureCodes(FeatureShape(field.name, (1 + len(fitted["names"]),)), codes, fitted)


def _number(
    field: OwnField, column: pa.ChunkedArray, is_positive: np.ndarray, before: dict[str, Any] | None
) -> FeatureCodes:
    numbers = numbers_of(field, column)
    used = numbers[is_positive & np.isfinite(numbers)]
    fitted = before or {"kind": field.kind, "edges": quantile_edges(used, field.buckets)}
    shape = FeatureShape(field.name, (2 + len(fitted["edges"]),))
    return FeatureCodes(shape, number_codes(numbers, fitted["edges"])[:, None], fitted)


def _tags(
    field: OwnField, column: pa.ChunkedArray, is_positive: np.ndarray, before: dict[str, Any] | None
) -> FeatureCodes:
    tags = tags_of(field, column)
    fitted = before or {"kind": field.kind, **fit_tags(tags, is_positive)}
    shape = FeatureShape(field.name, (1 + len(fitted["names"]),), shared=fitted["most"])
    return FeatureCodes(shape, tag_codes(tags, fitted), fitted)


def _vector(
    field: OwnField, column: pa.ChunkedArray, is_positive: np.ndarray, before: dict[str, Any] | None
) -> FeatureCodes:
    vectors = vectors_of(field, column, len(before["mean"]) if before else None)
    fitted = before or {"kind": field.kind, **fit_vectors(vectors, is_positive)}
    dense = dense_values(vectors, fitted)
    shape = FeatureShape(field.name, (), dense=dense.shape[1])
    return FeatureCodes(shape, np.zeros((len(vectors), 0), np.int32), fitted, dense)


_Fit = Callable[[OwnField, pa.ChunkedArray, np.ndarray, dict[str, Any] | None], FeatureCodes]
_KINDS: dict[str, _Fit] = {"category": _category, "number": _number, "tags": _tags, "vector": _vector}
