"""Whether a report is worse than an earlier one by more than the users' spread explains."""

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
from interestrec.io import files, schemas
from interestrec.metrics import bootstrap, intensity_errors

Key = tuple[str, str]  # protocol and metric


@dataclass(frozen=True)
class ReportValues:
    """What users got of one system in one metric."""

    user_id: pa.Array  # string [users]
    value: np.ndarray  # float64 [users], without NaN
    n: np.ndarray  # float64 [users], lists or rows of the user


@dataclass(frozen=True)
class MetricChange:
    """A metric of two reports, the new one minus the old."""

    protocol: str
    metric: str
    new: float
    old: float
    ci_low: float
    ci_high: float
    users: tuple[int, int]  # behind the new and the old value
    paired: bool  # whether they are the same ones

    @property
    def worse(self) -> bool:
        """Whether the whole interval of the difference lies on the bad side of 0."""
        return self.ci_low > 0 if self.metric in LOWER_IS_BETTER else self.ci_high < 0


def read_report_values(path: Path, system: str) -> dict[Key, ReportValues]:
    """The rows of one system in a table of schemas.PER_USER."""
    parts: dict[Key, list[pa.Table]] = {}
    for table in files.stream_parquet(path, schemas.PER_USER.names):
        words = {name: table[name].cast(pa.string()) for name in ("system", "protocol", "metric")}
        kept = pc.and_(pc.equal(words["system"], system), pc.is_finite(table["value"]))
        chosen = pa.table({**words, **{name: table[name] for name in ("user_id", "value", "n")}}).filter(kept)
        for protocol, metric in dict.fromkeys(
            zip(chosen["protocol"].to_pylist(), chosen["metric"].to_pylist(), strict=True)
        ):
            here = pc.and_(pc.equal(chosen["protocol"], protocol), pc.equal(chosen["metric"], metric))
            parts.setdefault((protocol, metric), []).append(chosen.filter(here).select(["user_id", "value", "n"]))
    found = {}
    for key, tables in parts.items():
        rows = pa.concat_tables(tables)
        numbers = (rows[name].to_numpy().astype(np.float64) for name in ("value", "n"))
        found[key] = ReportValues(rows["user_id"].combine_chunks(), *numbers)
    return found


def compare_reports(
    new: Mapping[Key, ReportValues], old: Mapping[Key, ReportValues], named: Sequence[Key], paired: bool
) -> tuple[list[Key], list[Key]]:
    """The metrics to compare: of each protocol that both have the headline, and those that are named; and which of them
    cannot be, because a report has no values of users for them or, where they are paired, no user of the other's.

    `beyond` has no headline here: less diversity, say, is not less quality. Its metrics are compared when named.
    """
    rows = [{"protocol": protocol, "metric": metric} for protocol, metric in new if (protocol, metric) in old]
    protocols = [protocol for protocol in dict.fromkeys(row["protocol"] for row in rows) if protocol != BEYOND]
    keys = list(dict.fromkeys([*((protocol, str(headline(rows, protocol))) for protocol in protocols), *named]))
    able = [
        key
        for key in keys
        if key in new
        and key in old
        and (not paired or pc.any(pc.is_in(new[key].user_id, value_set=old[key].user_id)).as_py())
    ]
    return able, [key for key in keys if key not in able]


def metric_changes(
    new: Mapping[Key, ReportValues],
    old: Mapping[Key, ReportValues],
    keys: Sequence[Key],
    paired: bool,
    resamples: int,
    seed: int,
) -> list[MetricChange]:
    """How the metrics changed, with bootstrap intervals over users.

    Args:
        keys: metrics that can be compared.
        paired: whether the users whom both have are compared with themselves, others left aside; else each side is
            resampled by itself.
    """
    measure = _paired if paired else _apart
    return [measure(key, new[key], old[key], resamples, seed) for key in keys]


def regression_findings(found: Sequence[MetricChange], against: str) -> list[BoundFinding]:
    """One sentence a change.

    Args:
        against: what the earlier report is called.
    """
    sentences = []
    for change in found:
        if change.paired:
            certain = f"{change.users[0]:,} users paired"
        else:
            certain = f"users of two corpora, {change.users[0]:,} and {change.users[1]:,}, not paired"
        if min(change.users) < FEW_USERS:
            certain += ", too few for an interval to be trusted"
        figures = (
            f"{change.metric} ({change.protocol}) {change.new:.4f} against {change.old:.4f} of {against} "
            f"(difference {change.new - change.old:+.4f}, 95 % interval {change.ci_low:+.4f} to "
            f"{change.ci_high:+.4f}, {certain})"
        )
        sentences.append(
            BoundFinding(not change.worse, f"{'quality fell' if change.worse else 'no evidence of a fall'}: {figures}")
        )
    return sentences


def _paired(key: Key, new: ReportValues, old: ReportValues, resamples: int, seed: int) -> MetricChange:
    place = pc.index_in(new.user_id, value_set=old.user_id)
    here = np.flatnonzero(pc.is_valid(place).to_numpy(zero_copy_only=False))
    there = pc.drop_null(place).to_numpy().astype(np.int64)
    cell = _cell(key, [(new.value[here], new.n[here]), (old.value[there], old.n[there])])
    value = cell.value
    (drawn,) = resampling.resampled_values([cell], len(here), resamples, seed)
    low, high = bootstrap.interval(drawn[:, [0]] - drawn[:, [1]])
    ends = (float(low[0]), float(high[0]))
    return MetricChange(*key, float(value[0]), float(value[1]), *ends, (len(here), len(there)), paired=True)


def _apart(key: Key, new: ReportValues, old: ReportValues, resamples: int, seed: int) -> MetricChange:
    cells = [_cell(key, [(one.value, one.n)]) for one in (new, old)]
    sizes = (len(new.value), len(old.value))
    # Seeds that differ: equal ones would draw the same places of both sides where these are equally many.
    drawn = [
        resampling.resampled_values([cell], size, resamples, seed + number)[0]
        for number, (cell, size) in enumerate(zip(cells, sizes, strict=True))
    ]
    low, high = bootstrap.interval(drawn[0] - drawn[1])
    values = [float(cell.value[0]) for cell in cells]
    return MetricChange(*key, values[0], values[1], float(low[0]), float(high[0]), sizes, paired=False)


def _cell(key: Key, columns: Sequence[tuple[np.ndarray, np.ndarray]]) -> MetricSums:
    """Users' values and counts as a cell with a column a report, from which the metric comes out again."""
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
