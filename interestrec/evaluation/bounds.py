"""Whether a report's figures keep the bounds that are required of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interestrec.config.requirements import MetricBound
from interestrec.core.choices import pick, suggestion
from interestrec.core.errors import ConfigError
from interestrec.evaluation import beyond_accuracy
from interestrec.evaluation.metric_sums import BEYOND, CATALOGUE, IMPRESSIONS, INTENSITY
from interestrec.evaluation.slices import ALL, FEWEST_LISTS

Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class BoundFinding:
    """What the gate found on one metric: whether it is in order, and the sentence that says so."""

    good: bool
    sentence: str


def available_metrics(of_lists: Sequence[str], of_rows: Sequence[str]) -> dict[str, list[str]]:
    """The metrics that each protocol can have, protocols in the order in which a requirement without one looks."""
    return {
        IMPRESSIONS: list(of_lists),
        CATALOGUE: [name for name in of_lists if name != "auc"],
        INTENSITY: list(of_rows),
        BEYOND: list(beyond_accuracy.NAMES),
    }


def protocol_of(requirement: MetricBound, having: Mapping[str, Sequence[str]]) -> str:
    """The protocol that a requirement speaks of: the one it names, else the first that has its metric.

    Args:
        having: the metrics of each protocol.

    Raises:
        ConfigError: there is no such protocol, or it has no such metric; the message says what there is.
    """
    where = f"requirement '{requirement.text}'"
    if requirement.protocol is not None:
        try:
            pick(
                {metric: metric for metric in pick(having, requirement.protocol, "protocol")},
                requirement.metric,
                "metric",
            )
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from None
        return requirement.protocol
    for protocol, metrics in having.items():
        if requirement.metric in metrics:
            return protocol
    names = sorted({metric for metrics in having.values() for metric in metrics})
    near = suggestion(requirement.metric, names)
    raise ConfigError(f"{where}: unknown metric '{requirement.metric}'{near}; choose from: {', '.join(names)}")


def check_slices(requirements: Iterable[MetricBound], names: Iterable[str]) -> None:
    """Refuse slices that the corpus does not have.

    Raises:
        ConfigError: there is no such slice; the message says which there are.
    """
    known = {ALL: ALL, **{name: name for name in names}}
    for requirement in requirements:
        try:
            pick(known, requirement.slice or ALL, "slice")
        except ConfigError as error:
            raise ConfigError(f"requirement '{requirement.text}': {error}") from None


def metrics_of(metrics: Rows, system: str) -> dict[str, list[str]]:
    """The metrics that a system has by protocol, in the order in which a requirement without a protocol looks."""
    having: dict[str, list[str]] = {protocol: [] for protocol in available_metrics([], [])}
    for row in metrics:
        if row["system"] == system and row["metric"] not in having[row["protocol"]]:
            having[row["protocol"]].append(row["metric"])
    return {protocol: names for protocol, names in having.items() if names}


def bound_findings(
    requirements: Sequence[MetricBound], metrics: Rows, left_out: Mapping[str, Mapping[str, int]], system: str
) -> list[BoundFinding]:
    """One finding a requirement.

    Args:
        metrics: rows of schemas.METRICS.
        left_out: slices with too few lists, by protocol, and how many these have.
        system: whose metrics are held against the bounds.

    Raises:
        ConfigError: the report has no such protocol, metric or slice.
    """
    having = metrics_of(metrics, system)
    mine = [row for row in metrics if row["system"] == system]
    found = []
    for requirement in requirements:
        protocol = protocol_of(requirement, having)
        here = {row["slice"]: row for row in mine if (row["protocol"], row["metric"]) == (protocol, requirement.metric)}
        part = requirement.slice or ALL
        count = left_out.get(protocol, {}).get(part)
        if part not in here and count is not None:
            raise ConfigError(
                f"requirement '{requirement.text}': {part} has {count} lists, and slices of fewer than {FEWEST_LISTS} "
                "are not reported; require something of a larger one"
            )
        check_slices([requirement], here)
        found.append(_finding(requirement, here[part]))
    return found


def _finding(requirement: MetricBound, row: dict[str, Any]) -> BoundFinding:
    value, low, high = row["value"], row["ci_low"], row["ci_high"]
    part = "" if row["slice"] == ALL else f", {row['slice']}"
    name = f"{row['metric']} ({row['protocol']}{part})"
    required = f"required is {requirement.sign} {requirement.bound:g}"
    if value is None:
        return BoundFinding(False, f"{name} has no value, {required}: none of the lists or rows defines it")
    good = requirement.met_by(value)
    said = f"{name} is {value:.4f}, {required}"
    if low is None or high is None:
        return BoundFinding(good, f"{said}; it has no interval")
    where = (
        "lies below it" if high < requirement.bound else "lies above it" if low > requirement.bound else "contains it"
    )
    return BoundFinding(good, f"{said}; its 95 % interval {low:.4f} to {high:.4f} {where}")
