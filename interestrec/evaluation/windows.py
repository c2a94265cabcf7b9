"""Several test windows of one log as one: means over windows, their spread, and tests over the users of all windows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from interestrec.evaluation import resampling, statistics
from interestrec.evaluation.metric_sums import MetricSums, PooledMetric
from interestrec.evaluation.protocols import ProtocolResult
from interestrec.evaluation.slices import ALL
from interestrec.evaluation.verdicts import BETTER, WORSE, comparison_figures, headline, rival_verdict, verdict_word
from interestrec.io.schemas import OURS, is_part
from interestrec.metrics import intensity_errors

Rows = list[dict[str, Any]]
Cell = MetricSums | PooledMetric


@dataclass(frozen=True)
class WindowResult:
    """The cells of one window."""

    result: ProtocolResult
    systems: list[str]  # columns of the cells
    user_id: pa.Array  # string [users], by the cells' users


@dataclass(frozen=True)
class PooledWindows:
    """The cells of all windows as cells whose value is the mean over windows."""

    cells: list[MetricSums]
    means: list[PooledMetric]  # metrics that are no mean over lists or rows; without an interval
    spread: dict[tuple[str, str, str], np.ndarray]  # by protocol, slice and metric: float64 [systems], between windows
    systems: list[str]  # columns: those of all windows
    n_users: int


def pool_windows(windows: Sequence[WindowResult]) -> PooledWindows:
    """Pool the cells of windows; a metric or slice counts in the windows that have it.

    Of a metric that is a mean over lists, a cell's value is the mean over windows of the mean over lists: with N_w
    lists in window w of W windows, a list of w has the weight 1 / (W N_w). A user of several windows is one user, who
    is resampled and whose systems are swapped as a whole.
    """
    systems = [name for name in windows[0].systems if all(name in window.systems for window in windows)]
    ids = pa.concat_arrays([window.user_id for window in windows]).unique()
    users = [_positions(window.user_id, ids) for window in windows]
    found: dict[tuple[str, str, str], list[tuple[np.ndarray, Cell]]] = {}
    present: dict[tuple[str, str], np.ndarray] = {}  # users of the cells of a protocol and slice, which are the same
    for window, user in zip(windows, users, strict=True):
        columns = np.array([window.systems.index(name) for name in systems], dtype=np.int64)
        of_window: list[Cell] = [*window.result.cells, *window.result.pooled]
        for cell in of_window:
            key = (cell.protocol, cell.slice, cell.metric)
            found.setdefault(key, []).append((user, _columns(cell, columns)))
            if isinstance(cell, MetricSums):
                known = present.setdefault(key[:2], np.zeros(0, dtype=np.int64))
                present[key[:2]] = np.union1d(known, user[cell.user])
    cells, means, spread = [], [], {}
    for key, parts in found.items():
        values = np.array([cell.value for _, cell in parts])
        spread[key] = _over_windows(lambda v: np.std(v, ddof=1) if len(v) > 1 else np.nan, values)
        sums = [(user[cell.user], cell) for user, cell in parts if isinstance(cell, MetricSums)]
        if len(sums) == len(parts) and sums[0][1].transform is intensity_errors.identity:
            cells.append(_pooled_cell(sums, present[key[:2]]))
        else:
            n, dropped = (np.sum([getattr(cell, name) for _, cell in parts], axis=0) for name in ("n", "dropped"))
            means.append(PooledMetric(*key, _over_windows(np.mean, values), n, dropped, 0))
    return PooledWindows(cells, means, spread, systems, len(ids))


def window_rows(pooled: PooledWindows, resamples: int, seed: int) -> tuple[Rows, Rows]:
    """Return rows of report_schemas.WINDOW_METRICS and WINDOW_COMPARISONS over all windows, with `window` null."""
    draws = resampling.resampled_values(pooled.cells, pooled.n_users, resamples, seed)
    metrics = statistics.metrics_rows(pooled.cells, draws, pooled.means, pooled.systems)
    for row in metrics:
        spread = pooled.spread[row["protocol"], row["slice"], row["metric"]][pooled.systems.index(row["system"])]
        row |= {"window": None, "window_sd": None if np.isnan(spread) else float(spread)}
    comparisons = statistics.comparison_rows(pooled.cells, pooled.systems, OURS, pooled.n_users, resamples, seed)
    return metrics, [{"window": None, **row} for row in comparisons]


def window_verdicts(
    metrics: Rows, comparisons: Rows, pooled: PooledWindows, min_users: int = 1
) -> dict[str, dict[str, Any]]:
    """Return what the windows say of our system by protocol, as JSON values.

    Each has the sentence on the strongest other system over all windows, and per slice and other system by the headline
    metric the mean difference with its interval and the windows in which ours is significantly better or worse.

    Args:
        metrics: rows of report_schemas.WINDOW_METRICS of all windows.
        comparisons: rows of report_schemas.WINDOW_COMPARISONS of all windows.
        min_users: minimum number of users behind a figure. If above 1, the number of users of all windows is left out:
            with that of each window, it would give the number of users whom two windows share.
    """
    over_all = [row for row in metrics if row["window"] is None]
    compared = [row for row in comparisons if row["window"] is None]
    words = {(row["window"], *_key(row)): verdict_word(row) for row in comparisons}
    numbers = sorted({row["window"] for row in comparisons if row["window"] is not None})
    users = statistics.users_per_metric(pooled.cells)
    verdicts: dict[str, dict[str, Any]] = {}
    for protocol in dict.fromkeys(row["protocol"] for row in compared):
        metric = headline(compared, protocol)
        n_users = users.get((protocol, str(metric)), 0) if min_users == 1 else None
        rows = [row for row in compared if (row["protocol"], row["metric"]) == (protocol, metric)]
        verdicts[protocol] = {
            "metric": metric,
            "users": n_users,
            "rival": rival_verdict(over_all, compared, protocol, OURS, n_users),
            "against": [
                {
                    "slice": row["slice"],
                    "system_b": row["system_b"],
                    **comparison_figures(row),
                    "word": words[None, *_key(row)],
                    "better_in": [n for n in numbers if words.get((n, *_key(row))) == BETTER],
                    "worse_in": [n for n in numbers if words.get((n, *_key(row))) == WORSE],
                }
                for row in rows
            ],
        }
    return verdicts


def window_sentence(verdict: Mapping[str, Any], n_windows: int) -> str:
    """Return one protocol's verdict of `window_verdicts` as text: over all windows, and where ours is worse."""
    rivals = [row for row in verdict["against"] if row["slice"] == ALL and not is_part(row["system_b"])]
    worse = [
        f"than {row['system_b']} in window {', '.join(map(str, row['worse_in']))}" for row in rivals if row["worse_in"]
    ]
    nowhere = "in no window significantly worse than another system"
    where = f"significantly worse {'; '.join(worse)}" if worse else nowhere
    return f"Over {n_windows} windows: {verdict['rival']} {OURS} is {where}."


def _key(row: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return row["protocol"], row["slice"], row["metric"], row["system_b"]


def _positions(user_id: pa.Array, ids: pa.Array) -> np.ndarray:
    import pyarrow.compute as pc

    return np.asarray(pc.index_in(user_id, value_set=ids)).astype(np.int64)


def _columns(cell: Cell, columns: np.ndarray) -> Cell:
    """Return a cell with the given systems."""
    if isinstance(cell, PooledMetric):
        return replace(cell, value=cell.value[columns], n=cell.n[columns], dropped=cell.dropped[columns])
    return replace(
        cell, sums=cell.sums[:, columns], counts=cell.counts[:, columns], dropped=cell.dropped[columns], seed_sd=None
    )


def _over_windows(function: Callable[[np.ndarray], Any], values: np.ndarray) -> np.ndarray:
    """Apply a function to the defined values of each system; float64 [systems] from [windows, systems]."""
    return np.array([function(v[~np.isnan(v)]) if (~np.isnan(v)).any() else np.nan for v in values.T], dtype=np.float64)


def _pooled_cell(windows: Sequence[tuple[np.ndarray, MetricSums]], users: np.ndarray) -> MetricSums:
    """Weight the lists of each window so that every window counts the same; counts sum to the lists of all windows.

    Args:
        windows: each window's users among all, int64 [users of the cell], and its cell.
        users: the users of the result, ascending.
    """
    first = windows[0][1]
    total = np.sum([cell.counts.sum(axis=0) for _, cell in windows], axis=0)  # [systems]
    n_windows = np.sum([cell.counts.sum(axis=0) > 0 for _, cell in windows], axis=0)
    sums = np.zeros((len(users), *first.sums.shape[1:]))
    counts = np.zeros((len(users), first.counts.shape[1]))
    for user, cell in windows:
        rows, lists = np.searchsorted(users, user), cell.counts.sum(axis=0)
        weight = np.divide(total, n_windows * lists, out=np.zeros_like(total), where=lists > 0)
        sums[rows] += cell.sums * weight[:, None, None]
        counts[rows] += cell.counts * weight
    dropped = np.sum([cell.dropped for _, cell in windows], axis=0)
    return replace(first, user=users, sums=sums, counts=counts, dropped=dropped)
