"""Check the metrics of a report against the bounds that the quality gate requires."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interestrec.core.choices import pick, suggestion
from interestrec.core.errors import ConfigError
from interestrec.evaluation import beyond_accuracy
from interestrec.evaluation.metric_sums import BEYOND, CATALOGUE, IMPRESSIONS, INTENSITY
from interestrec.evaluation.requirements import MetricBound
from interestrec.evaluation.slices import ALL, MIN_LISTS

Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class BoundFinding:
    """The gate's result on one metric: whether it passes, and the sentence for the user."""

    ok: bool
    sentence: str


def available_metrics(ranking_metrics: Sequence[str], intensity_metrics: Sequence[str]) -> dict[str, list[str]]:
    """Return the possible metrics per protocol, in the order in which a requirement without a protocol is resolved."""
    return {
        IMPRESSIONS: list(ranking_metrics),
        CATALOGUE: [name for name in ranking_metrics if name != "auc"],
        INTENSITY: list(intensity_metrics),
        BEYOND: list(beyond_accuracy.BEYOND_METRICS),
    }


def requirement_protocol(requirement: MetricBound, available: Mapping[str, Sequence[str]]) -> str:
    """Return the protocol of a requirement: the one it names, else the first that has its metric.

    Args:
        available: the metrics of each protocol.

    Raises:
        ConfigError: the protocol or its metric does not exist; the message lists the choices.
    """
    position = f"requirement '{requirement.text}'"
    if requirement.protocol is not None:
        try:
            pick(
                {metric: metric for metric in pick(available, requirement.protocol, "protocol")},
                requirement.metric,
                "metric",
            )
        except ConfigError as error:
            raise ConfigError(f"{position}: {error}") from None
        return requirement.protocol
    for protocol, metrics in available.items():
        if requirement.metric in metrics:
            return protocol
    names = sorted({metric for metrics in available.values() for metric in metrics})
    hint = suggestion(requirement.metric, names)
    raise ConfigError(f"{position}: unknown metric '{requirement.metric}'{hint}; choose from: {', '.join(names)}")


def check_slices(requirements: Iterable[MetricBound], names: Iterable[str]) -> None:
    """Check that the corpus has the slices of all requirements.

    Raises:
        ConfigError: a slice does not exist; the message lists the choices.
    """
    known = {ALL: ALL, **{name: name for name in names}}
    for requirement in requirements:
        try:
            pick(known, requirement.slice or ALL, "slice")
        except ConfigError as error:
            raise ConfigError(f"requirement '{requirement.text}': {error}") from None


def system_metrics(metrics: Rows, system: str) -> dict[str, list[str]]:
    """Return a system's metrics per protocol, in the order in which a requirement without a protocol is resolved."""
    available: dict[str, list[str]] = {protocol: [] for protocol in available_metrics([], [])}
    for row in metrics:
        if row["system"] == system and row["metric"] not in available[row["protocol"]]:
            available[row["protocol"]].append(row["metric"])
    return {protocol: names for protocol, names in available.items() if names}


def bound_findings(
    requirements: Sequence[MetricBound], metrics: Rows, left_out: Mapping[str, Mapping[str, int]], system: str
) -> list[BoundFinding]:
    """Return one finding per requirement.

    Args:
        metrics: rows of report_schemas.METRICS.
        left_out: number of lists of the slices with too few lists, by protocol.
        system: the system whose metrics are checked.

    Raises:
        ConfigError: the report has no such protocol, metric or slice.
    """
    available = system_metrics(metrics, system)
    system_rows = [row for row in metrics if row["system"] == system]
    findings = []
    for requirement in requirements:
        protocol = requirement_protocol(requirement, available)
        rows = {
            row["slice"]: row
            for row in system_rows
            if (row["protocol"], row["metric"]) == (protocol, requirement.metric)
        }
        slice_name = requirement.slice or ALL
        count = left_out.get(protocol, {}).get(slice_name)
        if slice_name not in rows and count is not None:
            raise ConfigError(
                f"requirement '{requirement.text}': {slice_name} has {count} lists, and slices with fewer than "
                f"{MIN_LISTS} are not reported; choose a larger slice"
            )
        check_slices([requirement], rows)
        findings.append(_finding(requirement, rows[slice_name]))
    return findings


def _finding(requirement: MetricBound, row: dict[str, Any]) -> BoundFinding:
    value, low, high = row["value"], row["ci_low"], row["ci_high"]
    slice_name = "" if row["slice"] == ALL else f", {row['slice']}"
    name = f"{row['metric']} ({row['protocol']}{slice_name})"
    required = f"required is {requirement.sign} {requirement.bound:g}"
    if value is None:
        return BoundFinding(False, f"{name} has no value, {required}: none of the lists or rows defines it")
    ok = requirement.holds_for(value)
    statement = f"{name} is {value:.4f}, {required}"
    if low is None or high is None:
        return BoundFinding(ok, f"{statement}; it has no interval")
    position = (
        "lies below it" if high < requirement.bound else "lies above it" if low > requirement.bound else "contains it"
    )
    return BoundFinding(ok, f"{statement}; its 95 % interval {low:.4f} to {high:.4f} {position}")
