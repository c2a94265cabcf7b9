"""The quality gate of a committed report: bounds on metrics, and no regression against an earlier report."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from interestrec.core.errors import ArtifactError
from interestrec.evaluation import bounds, regression
from interestrec.evaluation.bounds import BoundFinding, Rows
from interestrec.evaluation.requirements import MetricBound
from interestrec.io import artifact_files, files, report_schemas
from interestrec.workspace.artifacts import Artifact

# The settings of a report that define its metrics.
_DEFINITIONS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "evaluate.gain": lambda config: config.get("evaluate", {}).get("gain"),
    "data.relevant_at": lambda config: config.get("relevant_at"),
}


def require_same_definitions(earlier: Artifact, config: Mapping[str, Any]) -> None:
    """Check that an earlier report defines its metrics in the same way.

    Args:
        config: the configuration in the recipe of the new report.

    Raises:
        ArtifactError: the earlier report has another gain or relevance threshold.
    """
    for name, definition in _DEFINITIONS.items():
        value, earlier_value = definition(config), definition(earlier.manifest["config"])
        if value != earlier_value:
            raise ArtifactError(
                f"{earlier.path}: the earlier report has {name} {earlier_value}, but this one has {value}; compare "
                "reports with equal settings"
            )


def gate_findings(
    report: Artifact,
    requirements: Sequence[MetricBound],
    earlier: Artifact | None,
    system: str,
    resamples: int,
    seed: int,
) -> list[BoundFinding]:
    """Return one finding per requirement, and one per metric that is compared with the earlier report.

    Args:
        system: the system whose metrics are checked.

    Raises:
        ConfigError: the report lacks the protocol, metric or slice of a requirement.
        ArtifactError: the earlier report has no metric that can be compared.
    """
    if not requirements and earlier is None:
        return []
    metrics = files.read_parquet(report.path / artifact_files.METRICS, report_schemas.METRICS).to_pylist()
    findings = bounds.bound_findings(
        requirements, metrics, files.read_json(report.path / artifact_files.SLICES)["left_out"], system
    )
    if earlier is not None:
        findings += _regression_findings(
            report, earlier, _required_metrics(requirements, metrics, system), system, resamples, seed
        )
    return findings


def _required_metrics(requirements: Sequence[MetricBound], metrics: Rows, system: str) -> list[regression.MetricKey]:
    available = bounds.system_metrics(metrics, system)
    return [(bounds.requirement_protocol(requirement, available), requirement.metric) for requirement in requirements]


def _regression_findings(
    report: Artifact,
    earlier: Artifact,
    required: Sequence[regression.MetricKey],
    system: str,
    resamples: int,
    seed: int,
) -> list[BoundFinding]:
    if earlier.digest == report.digest:
        return [BoundFinding(True, f"not compared with an earlier report: {earlier.path} is this report")]
    # The corpus determines the test users and items, so users of two corpora are separate samples even if ids agree.
    paired = report.manifest["inputs"]["corpus"] == earlier.manifest["inputs"].get("corpus")
    new, old = (
        regression.read_report_values(artifact.path / artifact_files.PER_USER, system) for artifact in (report, earlier)
    )
    comparable, incomparable = regression.compare_reports(new, old, required, paired)
    if not comparable:
        raise ArtifactError(f"{earlier.path}: has no values per user of {system} to compare; choose another report")
    changes = regression.metric_changes(new, old, comparable, paired, resamples, seed)
    skipped = [
        BoundFinding(
            True, f"{metric} ({protocol}) is not compared with {earlier.path}: both reports need values per user"
        )
        for protocol, metric in incomparable
    ]
    return [*regression.regression_findings(changes, str(earlier.path)), *skipped]
