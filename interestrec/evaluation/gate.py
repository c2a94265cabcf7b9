"""What is asked of a committed report: bounds to keep, and an earlier report not to fall behind."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from interestrec.core.errors import ArtifactError
from interestrec.evaluation import bounds
from interestrec.evaluation import regression as since
from interestrec.evaluation.bounds import BoundFinding, Rows
from interestrec.evaluation.requirements import MetricBound
from interestrec.io import artifact_files, files, schemas
from interestrec.workspace.artifacts import Artifact

# what of a report's configuration gives its metrics their meaning
_MEANING: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "evaluate.gain": lambda config: config.get("evaluate", {}).get("gain"),
    "data.relevant_at": lambda config: config.get("relevant_at"),
}


def require_meaning(earlier: Artifact, config: Mapping[str, Any]) -> None:
    """Refuse an earlier report whose metrics mean something else under the same names.

    Args:
        config: of the recipe of the report that is compared with it.

    Raises:
        ArtifactError: it was made with another gain or relevance.
    """
    for name, of in _MEANING.items():
        here, there = of(config), of(earlier.manifest["config"])
        if here != there:
            raise ArtifactError(
                f"{earlier.path}: {name} is {there} there and {here} here; compare reports of one meaning"
            )


def gate_findings(
    report: Artifact, wanted: Sequence[MetricBound], earlier: Artifact | None, system: str, resamples: int, seed: int
) -> list[BoundFinding]:
    """One finding a requirement, and one a metric that is compared with the earlier report.

    Args:
        system: whose metrics are looked at.

    Raises:
        ConfigError: a requirement of a protocol, metric or slice that the report does not have.
        ArtifactError: nothing of the earlier report can be compared.
    """
    if not wanted and earlier is None:
        return []
    metrics = files.read_parquet(report.path / artifact_files.METRICS, schemas.METRICS).to_pylist()
    found = bounds.bound_findings(
        wanted, metrics, files.read_json(report.path / artifact_files.SLICES)["left_out"], system
    )
    if earlier is not None:
        found += _since(report, earlier, _named(wanted, metrics, system), system, resamples, seed)
    return found


def _named(wanted: Sequence[MetricBound], metrics: Rows, system: str) -> list[since.Key]:
    having = bounds.metrics_of(metrics, system)
    return [(bounds.protocol_of(requirement, having), requirement.metric) for requirement in wanted]


def _since(
    report: Artifact, earlier: Artifact, named: Sequence[since.Key], system: str, resamples: int, seed: int
) -> list[BoundFinding]:
    if earlier.digest == report.digest:
        return [BoundFinding(True, f"not compared with an earlier report: {earlier.path} is this one")]
    # A corpus decides who is tested on what, so users of two are different draws even under the same names.
    paired = report.manifest["inputs"]["corpus"] == earlier.manifest["inputs"].get("corpus")
    new, old = (since.read_report_values(one.path / artifact_files.PER_USER, system) for one in (report, earlier))
    able, unable = since.compare_reports(new, old, named, paired)
    if not able:
        raise ArtifactError(f"{earlier.path}: has no values of users of {system} to compare; give another report")
    changes = since.metric_changes(new, old, able, paired, resamples, seed)
    left = [
        BoundFinding(True, f"{metric} ({protocol}) is not compared with {earlier.path}: both need values of users")
        for protocol, metric in unable
    ]
    return [*since.regression_findings(changes, str(earlier.path)), *left]
