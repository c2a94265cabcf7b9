"""Compare a report with an earlier one: did quality fall by more than the variation between users explains?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.evaluation import resampling
from interestrec.evaluation.bounds import BoundFinding
from interestrec.evaluation.metric_sums import BEYOND, LOWER_IS_BETTER, MetricSums
from interestrec.evaluation.slices import ALL
from interestrec.evaluation.verdicts import FEW_USERS, headline
from interestrec.io import files, report_schemas
from interestrec.metrics import bootstrap, intensity_errors

MetricKey = tuple[str, str]  # protocol and metric


@dataclass(frozen=True)
class ReportValues:
    """Values per user of one system and metric."""

    user_id: pa.Array  # string [users]
    value: np.ndarray  # float64 [users], without NaN
    n: np.ndarray  # float64 [users], lists or rows of the user


@dataclass(frozen=True)
class MetricChange:
    """The difference of one metric between two reports, new minus old."""

    protocol: str
    metric: str
    new: float
    old: float
    ci_low: float
    ci_high: float
    users: tuple[int, int]  # number of users behind the new and the old value
    paired: bool  # whether both values are of the same users

    @property
    def worse(self) -> bool:
        """Whether the whole interval of the difference lies on the worse side of 0."""
        return self.ci_low > 0 if self.metric in LOWER_IS_BETTER else self.ci_high < 0


def read_report_values(path: Path, system: str) -> dict[MetricKey, ReportValues]:
    """Read one system's values from a table of report_schemas.PER_USER."""
    parts: dict[MetricKey, list[pa.Table]] = {}
    for table in files.stream_parquet(path, report_schemas.PER_USER.names):
        texts = {name: table[name].cast(pa.string()) for name in ("system", "protocol", "metric")}
        is_kept = pc.and_(pc.equal(texts["system"], system), pc.is_finite(table["value"]))
        rows = pa.table({**texts, **{name: table[name] for name in ("user_id", "value", "n")}}).filter(is_kept)
        for protocol, metric in dict.fromkeys(
            zip(rows["protocol"].to_pylist(), rows["metric"].to_pylist(), strict=True)
        ):
            is_metric = pc.and_(pc.equal(rows["protocol"], protocol), pc.equal(rows["metric"], metric))
            parts.setdefault((protocol, metric), []).append(rows.filter(is_metric).select(["user_id", "value", "n"]))
    values_by_metric = {}
    for key, tables in parts.items():
        table_rows = pa.concat_tables(tables)
        numbers = (table_rows[name].to_numpy().astype(np.float64) for name in ("value", "n"))
        values_by_metric[key] = ReportValues(table_rows["user_id"].combine_chunks(), *numbers)
    return values_by_metric


def compare_reports(
    new: Mapping[MetricKey, ReportValues],
    old: Mapping[MetricKey, ReportValues],
    required: Sequence[MetricKey],
    paired: bool,
) -> tuple[list[MetricKey], list[MetricKey]]:
    """Return the metrics to compare, and those that cannot be compared.

    The metrics are the headline metric of each protocol that both reports have, and the required ones. A metric cannot
    be compared if a report lacks its values per user or, if paired, if no user is in both reports. `beyond` has no
    headline metric here, because less diversity, say, is not less quality; its metrics are compared if required.
    """
    rows = [{"protocol": protocol, "metric": metric} for protocol, metric in new if (protocol, metric) in old]
    protocols = [protocol for protocol in dict.fromkeys(row["protocol"] for row in rows) if protocol != BEYOND]
    keys = list(dict.fromkeys([*((protocol, str(headline(rows, protocol))) for protocol in protocols), *required]))
    comparable = [
        key
        for key in keys
        if key in new
        and key in old
        and (not paired or pc.any(pc.is_in(new[key].user_id, value_set=old[key].user_id)).as_py())
    ]
    return comparable, [key for key in keys if key not in comparable]


def metric_changes(
    new: Mapping[MetricKey, ReportValues],
    old: Mapping[MetricKey, ReportValues],
    keys: Sequence[MetricKey],
    paired: bool,
    resamples: int,
    seed: int,
) -> list[MetricChange]:
    """Return the changes of the metrics, with bootstrap intervals over users.

    Args:
        keys: metrics that can be compared.
        paired: whether users that both reports have are compared with themselves and other users are left out;
            otherwise each report is resampled separately.
    """
    measure = _paired if paired else _unpaired
    return [measure(key, new[key], old[key], resamples, seed) for key in keys]


def regression_findings(changes: Sequence[MetricChange], earlier_name: str) -> list[BoundFinding]:
    """Return one finding per change.

    Args:
        earlier_name: name of the earlier report in the sentences.
    """
    sentences = []
    for change in changes:
        if change.paired:
            basis = f"{change.users[0]:,} users paired"
        else:
            basis = f"users of two corpora, {change.users[0]:,} and {change.users[1]:,}, not paired"
        if min(change.users) < FEW_USERS:
            basis += ", too few for a reliable interval"
        figures = (
            f"{change.metric} ({change.protocol}) {change.new:.4f} against {change.old:.4f} of {earlier_name} "
            f"(difference {change.new - change.old:+.4f}, 95 % interval {change.ci_low:+.4f} to "
            f"{change.ci_high:+.4f}, {basis})"
        )
        sentences.append(
            BoundFinding(not change.worse, f"{'quality fell' if change.worse else 'no evidence of a fall'}: {figures}")
        )
    return sentences


def _paired(key: MetricKey, new: ReportValues, old: ReportValues, resamples: int, seed: int) -> MetricChange:
    position = pc.index_in(new.user_id, value_set=old.user_id)
    new_rows = np.flatnonzero(pc.is_valid(position).to_numpy(zero_copy_only=False))
    old_rows = pc.drop_null(position).to_numpy().astype(np.int64)
    cell = _cell(key, [(new.value[new_rows], new.n[new_rows]), (old.value[old_rows], old.n[old_rows])])
    value = cell.value
    (draws,) = resampling.resampled_values([cell], len(new_rows), resamples, seed)
    low, high = bootstrap.interval(draws[:, [0]] - draws[:, [1]])
    interval = (float(low[0]), float(high[0]))
    return MetricChange(*key, float(value[0]), float(value[1]), *interval, (len(new_rows), len(old_rows)), paired=True)


def _unpaired(key: MetricKey, new: ReportValues, old: ReportValues, resamples: int, seed: int) -> MetricChange:
    cells = [_cell(key, [(values.value, values.n)]) for values in (new, old)]
    sizes = (len(new.value), len(old.value))
    # The seeds differ, because equal seeds would draw the same positions in two reports of equal size.
    draws = [
        resampling.resampled_values([cell], size, resamples, seed + number)[0]
        for number, (cell, size) in enumerate(zip(cells, sizes, strict=True))
    ]
    low, high = bootstrap.interval(draws[0] - draws[1])
    values = [float(cell.value[0]) for cell in cells]
    return MetricChange(*key, values[0], values[1], float(low[0]), float(high[0]), sizes, paired=False)


def _cell(key: MetricKey, columns: Sequence[tuple[np.ndarray, np.ndarray]]) -> MetricSums:
    """Return the values and counts per user as a cell with one column per report; its value is the metric."""
    protocol, metric = key
    transform = (
        intensity_errors.INTENSITY_ERRORS[metric].transform
        if metric in intensity_errors.INTENSITY_ERRORS
        else intensity_errors.identity
    )
    power = 2 if transform is intensity_errors.square_root else 1
    counts = np.stack([n for _, n in columns], axis=1)
    sums = np.stack([value**power * n for value, n in columns], axis=1)[..., None, None]
    none = np.zeros(len(columns), dtype=np.int64)
    return MetricSums(protocol, ALL, metric, np.arange(len(counts)), sums, counts, none, transform)
