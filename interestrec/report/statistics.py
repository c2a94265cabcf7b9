"""From cells to the three tables of the report: metrics, comparisons, values per user."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from interestrec.core import schemas
from interestrec.metrics import bootstrap
from interestrec.report.cells import ALL, Cell


def metrics_rows(cells: Sequence[Cell], systems: Sequence[str], resamples: int, seed: int) -> list[dict[str, Any]]:
    """Rows of schemas.METRICS: value and 95 % bootstrap interval over users of every system."""
    rows = []
    for cell in cells:
        drawn = bootstrap.resampled_values(cell.sums, cell.counts, cell.transform, resamples, seed)
        low, high = bootstrap.interval(drawn)
        value = cell.value
        for column, system in enumerate(systems):
            rows.append(
                {
                    "system": system,
                    "protocol": cell.protocol,
                    "slice": cell.slice,
                    "metric": cell.metric,
                    "value": _or_none(value[column]),
                    "ci_low": _or_none(low[column]),
                    "ci_high": _or_none(high[column]),
                    "n": int(cell.counts[:, column].sum()),
                    "dropped": int(cell.dropped[column]),
                }
            )
    return rows


def comparison_rows(
    cells: Sequence[Cell], systems: Sequence[str], ours: str, resamples: int, seed: int
) -> list[dict[str, Any]]:
    """Rows of schemas.COMPARISONS: `ours` minus every other system, paired over users.

    The family of Holm's correction is one protocol, slice and metric: the comparisons that one reads together.
    """
    if ours not in systems:
        return []
    us = systems.index(ours)
    others = [column for column in range(len(systems)) if column != us]
    rows = []
    for cell in cells:
        value = cell.value
        if not others or np.isnan(value).any():
            continue
        drawn = bootstrap.resampled_values(cell.sums, cell.counts, cell.transform, resamples, seed)
        low, high = bootstrap.interval(drawn[:, [us]] - drawn[:, others])
        p = bootstrap.randomisation_p(
            np.repeat(cell.sums[:, [us]], len(others), axis=1),
            cell.sums[:, others],
            cell.counts[:, others],
            cell.transform,
            resamples,
            seed,
        )
        adjusted = bootstrap.holm(p)
        for index, column in enumerate(others):
            rows.append(
                {
                    "protocol": cell.protocol,
                    "slice": cell.slice,
                    "metric": cell.metric,
                    "system_a": ours,
                    "system_b": systems[column],
                    "difference": float(value[us] - value[column]),
                    "ci_low": float(low[index]),
                    "ci_high": float(high[index]),
                    "p": float(p[index]),
                    "p_holm": float(adjusted[index]),
                }
            )
    return rows


def per_user_table(cells: Sequence[Cell], systems: Sequence[str], user_id: pa.Array) -> pa.Table:
    """Rows of schemas.PER_USER: the metric over each user's own lists or rows.

    Args:
        user_id: string [users], in the order of the cells' users.
    """
    tables = [schemas.PER_USER.empty_table()]
    whole = [cell for cell in cells if cell.slice == ALL]
    words = {
        "system": pa.array(systems, pa.string()),
        "protocol": pa.array(sorted({cell.protocol for cell in whole}), pa.string()),
        "metric": pa.array(sorted({cell.metric for cell in whole}), pa.string()),
    }
    for cell in whole:
        for column, system in enumerate(systems):
            users = np.flatnonzero(cell.counts[:, column])
            count = cell.counts[users, column]
            names = {"system": system, "protocol": cell.protocol, "metric": cell.metric}
            columns = {name: _repeated(words[name], word, len(users)) for name, word in names.items()}
            columns["user_id"] = user_id.take(pa.array(users))
            columns["value"] = pa.array(cell.transform(cell.sums[users, column] / count))
            columns["n"] = pa.array(count.astype(np.int64))
            tables.append(pa.table(columns).select(schemas.PER_USER.names).cast(schemas.PER_USER))
    return pa.concat_tables(tables).unify_dictionaries()


def _repeated(words: pa.Array, word: str, rows: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(np.full(rows, words.index(word).as_py(), dtype=np.int32), words)


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
