"""Tables of the report from cells: metrics, comparisons, gaps, values per user."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from interestrec.evaluation.metric_sums import LOWER_IS_BETTER, MetricSums, PooledMetric
from interestrec.evaluation.resampling import randomisations
from interestrec.evaluation.slices import ALL
from interestrec.io import report_schemas, schemas
from interestrec.metrics import bootstrap


def metrics_rows(
    cells: Sequence[MetricSums], draws: Sequence[np.ndarray], pooled: Sequence[PooledMetric], systems: Sequence[str]
) -> list[dict[str, Any]]:
    """Return rows of report_schemas.METRICS: value and 95 % bootstrap interval over users of every system.

    Args:
        draws: each cell's resampled values, float64 [resamples, systems].
    """
    rows = []
    for cell, values in zip(cells, draws, strict=True):
        rows += _metric_rows(cell, *bootstrap.interval(values), systems)
    unknown = np.full(len(systems), np.nan)
    for single in pooled:
        rows += _metric_rows(single, unknown, unknown, systems)
    protocols = list(dict.fromkeys(row["protocol"] for row in rows))
    slices = list(dict.fromkeys((row["protocol"], row["slice"]) for row in rows))
    # Python's sort is stable, so pooled metrics follow the cells of their protocol and slice.
    return sorted(
        rows, key=lambda row: (protocols.index(row["protocol"]), slices.index((row["protocol"], row["slice"])))
    )


def comparison_rows(
    cells: Sequence[MetricSums],
    systems: Sequence[str],
    our_system: str,
    n_users: int,
    resamples: int,
    seed: int,
) -> list[dict[str, Any]]:
    """Return rows of report_schemas.COMPARISONS: `our_system` minus every other system, paired over users.

    Interval and p come from one test: the interval contains the differences that the test does not reject at 5 %,
    before Holm's correction, and excludes 0 exactly if p is below 0.05.

    The family of Holm's correction is one protocol, slice and metric, the comparisons that are read together. The
    components and variants of our system are a separate family: they are no rivals, and must not make a comparison
    with rivals harder to win.
    """
    our_column = systems.index(our_system) if our_system in systems else -1
    others = [column for column in range(len(systems)) if column != our_column]
    if our_column < 0 or not others:
        return []
    is_component = np.array([schemas.is_part(systems[column]) for column in others])
    comparable = [cell for cell in cells if _comparable(cell)]
    chances = randomisations(comparable, our_column, others, n_users, resamples, seed)
    rows = []
    for cell, chance in zip(comparable, chances, strict=True):
        difference = cell.value[our_column] - cell.value[others]
        low, high = bootstrap.randomisation_interval(difference, chance.differences, chance.balance)
        p = bootstrap.p_value(difference, chance.differences)
        figures = np.stack([difference, low, high, p, _holm(p, is_component)], axis=1).tolist()
        for column, row_values in zip(others, figures, strict=True):
            names = {"system_a": our_system, "system_b": systems[column]}
            key = {"protocol": cell.protocol, "slice": cell.slice, "metric": cell.metric}
            values = dict(zip(("difference", "ci_low", "ci_high", "p", "p_holm"), row_values, strict=True))
            rows.append({**key, **names, **values})
    return rows


def users_per_metric(cells: Sequence[MetricSums]) -> dict[tuple[str, str], int]:
    """Count the users behind a metric over all lists, by protocol and metric."""
    return {
        (cell.protocol, cell.metric): int((cell.counts > 0).any(axis=1).sum()) for cell in cells if cell.slice == ALL
    }


def _holm(p: np.ndarray, is_component: np.ndarray) -> np.ndarray:
    adjusted = np.empty(len(p))
    for family in (is_component, ~is_component):
        adjusted[family] = bootstrap.holm(p[family])
    return adjusted


def gap_rows(
    cells: Sequence[MetricSums],
    draws: Sequence[np.ndarray],
    families: Mapping[str, Sequence[str]],
    systems: Sequence[str],
    our_system: str,
) -> list[dict[str, Any]]:
    """Return rows of report_schemas.GAPS: the difference between the best and the worst served users of `our_system`.

    The interval is that of the difference between these two slices. They are the extremes of their family, so a gap
    between small slices is partly chance; the size of the gap matters, and it is never negative.
    """
    if our_system not in systems:
        return []
    our_column = systems.index(our_system)
    cell_numbers = {(cell.protocol, cell.metric, cell.slice): number for number, cell in enumerate(cells)}
    rows = []
    for protocol, metric in dict.fromkeys((cell.protocol, cell.metric) for cell in cells):
        sign = -1 if metric in LOWER_IS_BETTER else 1
        for family, names in families.items():
            numbers = [
                cell_numbers[protocol, metric, name] for name in names if (protocol, metric, name) in cell_numbers
            ]
            values = {number: sign * float(cells[number].value[our_column]) for number in numbers}
            values = {number: value for number, value in values.items() if not np.isnan(value)}
            if len(values) < 2:
                continue
            best, worst = max(values, key=lambda n: values[n]), min(values, key=lambda n: values[n])
            low, high = bootstrap.interval(sign * (draws[best][:, [our_column]] - draws[worst][:, [our_column]]))
            rows.append(
                {
                    "system": our_system,
                    "protocol": protocol,
                    "family": family,
                    "metric": metric,
                    "best": cells[best].slice,
                    "worst": cells[worst].slice,
                    "best_value": sign * values[best],
                    "worst_value": sign * values[worst],
                    "gap": values[best] - values[worst],
                    "ci_low": _or_none(low[0]),
                    "ci_high": _or_none(high[0]),
                }
            )
    return rows


def per_user_table(cells: Sequence[MetricSums], systems: Sequence[str], user_id: pa.Array) -> pa.Table:
    """Return rows of report_schemas.PER_USER: the metric over the `n` lists or rows of each user.

    The table covers all lists and rows, and the metrics that equal the mean of the users' values weighted by `n`, for
    rmse after squaring; calibration errors are not defined for a user. Over several seeds, a user's rmse is the root
    of the mean square over all seeds, because roots cannot be averaged.

    Args:
        user_id: string [users], in the order of the cells' users.
    """
    tables = [report_schemas.PER_USER.empty_table()]
    overall = [
        replace(cell, sums=cell.sums.mean(axis=2, keepdims=True))
        for cell in cells
        if cell.slice == ALL and cell.sums.shape[3] == 1
    ]
    dictionaries = {
        "system": pa.array(systems, pa.string()),
        "protocol": pa.array(sorted({cell.protocol for cell in overall}), pa.string()),
        "metric": pa.array(sorted({cell.metric for cell in overall}), pa.string()),
    }
    for cell in overall:
        for column, system in enumerate(systems):
            rows = np.flatnonzero(cell.counts[:, column])
            count = cell.counts[rows, column]
            names = {"system": system, "protocol": cell.protocol, "metric": cell.metric}
            columns = {name: _dictionary_column(dictionaries[name], value, len(rows)) for name, value in names.items()}
            columns["user_id"] = user_id.take(pa.array(cell.user[rows]))
            columns["value"] = pa.array(cell.evaluate(cell.sums[rows, column], count))
            columns["n"] = pa.array(count.astype(np.int64))
            tables.append(pa.table(columns).select(report_schemas.PER_USER.names).cast(report_schemas.PER_USER))
    return pa.concat_tables(tables).unify_dictionaries()


def _metric_rows(
    cell: MetricSums | PooledMetric, low: np.ndarray, high: np.ndarray, systems: Sequence[str]
) -> list[dict[str, Any]]:
    value, n = cell.value, cell.n
    return [
        {
            "system": system,
            "protocol": cell.protocol,
            "slice": cell.slice,
            "metric": cell.metric,
            "value": _or_none(value[column]),
            "ci_low": _or_none(low[column]),
            "ci_high": _or_none(high[column]),
            "n": int(n[column]),
            "dropped": int(cell.dropped[column]),
            "seed_sd": None if cell.seed_sd is None else _or_none(cell.seed_sd[column]),
        }
        for column, system in enumerate(systems)
    ]


def _comparable(cell: MetricSums) -> bool:
    """Return whether every system has a value, from the same number of lists of each user."""
    return not np.isnan(cell.value).any() and bool((cell.counts == cell.counts[:, :1]).all())


def _dictionary_column(dictionary: pa.Array, value: str, rows: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(np.full(rows, dictionary.index(value).as_py(), dtype=np.int32), dictionary)


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
