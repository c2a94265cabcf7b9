"""What is asked of a committed report: bounds to keep, and an earlier report not to fall behind."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from interestrec.core.errors import ArtifactError
from interestrec.evaluation import bounds, regression
from interestrec.evaluation.bounds import BoundFinding, Rows
from interestrec.evaluation.requirements import MetricBound
from interestrec.io import artifact_files, files, schemas
from interestrec.workspace.artifacts import Artifact

# what of a report's configuration gives its metrics their meaning
_DEFINITIONS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "evaluate.gain": lambda config: config.get("evaluate", {}).get("gain"),
    "data.relevant_at": lambda config: config.get("relevant_at"),
}


def require_same_definitions(earlier: Artifact, config: Mapping[str, Any]) -> None:
    """Refuse an earlier report whose metrics mean something else under the same names.

    Args:
        config: of the recipe of the report that is compared with it.

    Raises:
        ArtifactError: it was made with another gain or relevance.
    """
    for name, definition in _DEFINITIONS.items():
        value, earlier_value = definition(config), definition(earlier.manifest["config"])
        if value != earlier_value:
            raise ArtifactError(
                f"{earlier.path}: {name} is {earlier_value} there and {value} here; compare reports of one meaning"
            )


def gate_findings(
    report: Artifact,
    requirements: Sequence[MetricBound],
    earlier: Artifact | None,
    system: str,
    resamples: int,
    seed: int,
) -> list[BoundFinding]:
    """One finding a requirement, and one a metric that is compared with the earlier report.

    Args:
        system: whose metrics are looked at.

    Raises:
        ConfigError: a requirement of a protocol, metric or slice that the report does not have.
        ArtifactError: nothing of the earlier report can be compared.
    """
    if not requirements and earlier is None:
        return []
    metrics = files.read_parquet(report.path / artifact_files.METRICS, schemas.METRICS).to_pylist()
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
        return [BoundFinding(True, f"not compared with an earlier report: {earlier.path} is this one")]
    # A corpus decides who is tested on what, so users of two are different draws even under the same names.
    paired = report.manifest["inputs"]["corpus"] == earlier.manifest["inputs"].get("corpus")
    new, old = (
        regression.read_report_values(artifact.path / artifact_files.PER_USER, system) for artifact in (report, earlier)
    )
    comparable, incomparable = regression.compare_reports(new, old, required, paired)
    if not comparable:
        raise ArtifactError(f"{earlier.path}: has no values of users of {system} to compare; give another report")
    changes = regression.metric_changes(new, old, comparable, paired, resamples, seed)
    skipped = [
        BoundFinding(True, f"{metric} ({protocol}) is not compared with {earlier.path}: both need values of users")
        for protocol, metric in incomparable
    ]
    return [*regression.regression_findings(changes, str(earlier.path)), *skipped]
