"""Averages over several rankings that differ only in their seed."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

from interestrec.core.errors import ArtifactError
from interestrec.evaluation.metric_sums import MetricSums, PooledMetric
from interestrec.evaluation.protocols import ProtocolResult
from interestrec.io import artifact_files, files
from interestrec.metrics import intensity_errors
from interestrec.workspace.artifacts import Artifact

T = TypeVar("T", MetricSums, PooledMetric)


def require_same_settings(rankings: Sequence[Artifact]) -> None:
    """Check that rankings differ in their seed and in nothing else.

    Args:
        rankings: artifacts of one corpus, by seed.

    Raises:
        ArtifactError: two rankings have equal seeds, different systems or different settings.
    """
    for first, second in pairwise(rankings):
        pair = f"{first.path} and {second.path}"
        if first.manifest["seed"] == second.manifest["seed"]:
            raise ArtifactError(f"{pair} both have seed {first.manifest['seed']}; choose rankings of different seeds")
        systems = [
            set(files.read_json(ranking.path / artifact_files.SYSTEMS)["systems"]) for ranking in (first, second)
        ]
        if unshared := sorted(systems[0] ^ systems[1]):
            raise ArtifactError(
                f"{pair} differ in their systems: only one has {', '.join(unshared)}; rank the same systems"
            )
        first_config, second_config = ({**config.pop("rank", {}), **config} for config in map(_config, (first, second)))
        if differing := [
            name
            for name in sorted({*first_config, *second_config})
            if first_config.get(name) != second_config.get(name)
        ]:
            raise ArtifactError(f"{pair} were ranked with different {', '.join(differing)}; rank with equal settings")


def average_seeds(results: Sequence[ProtocolResult]) -> ProtocolResult:
    """Average every metric that all seeds have over the seeds.

    A user's value is averaged over seeds before users are resampled. The interval therefore shows how much the mean of
    these seeds varies with the users; `seed_sd` shows how much the metric varies with the seed.
    """
    if len(results) == 1:
        return results[0]
    left_out: dict[str, dict[str, int]] = {}
    for result in results:
        for protocol, names in result.left_out.items():
            left_out.setdefault(protocol, {}).update(names)
    return ProtocolResult(
        cells=[_stack_seeds(metrics) for metrics in _matching_metrics([result.cells for result in results])],
        pooled=[_average_pooled(metrics) for metrics in _matching_metrics([result.pooled for result in results])],
        left_out=left_out,
    )


def _config(rankings: Artifact) -> dict[str, Any]:
    return dict(rankings.manifest["config"])


def _matching_metrics(seeds: Sequence[Sequence[T]]) -> list[list[T]]:
    """Group the metrics of all seeds by protocol, slice and metric, in the order of the first seed."""
    metrics_by_key = [
        {(metric.protocol, metric.slice, metric.metric): metric for metric in metrics} for metrics in seeds
    ]
    return [
        [metrics[key] for metrics in metrics_by_key]
        for key in metrics_by_key[0]
        if all(key in metrics for metrics in metrics_by_key)
    ]


def _stack_seeds(cells: Sequence[MetricSums]) -> MetricSums:
    """Stack the cells of all seeds along the axis of seeds.

    The lists belong to the same requests, so counts are equal unless a metric is undefined for a list of one seed;
    that user's value is then the mean over the seeds that have one.
    """
    first = cells[0]
    user = np.unique(np.concatenate([cell.user for cell in cells]))
    sums = np.concatenate([_align_users(cell.sums, cell.user, user) for cell in cells], axis=2)
    counts = np.stack([_align_users(cell.counts, cell.user, user) for cell in cells], axis=2)  # [users, systems, seeds]
    count = counts.max(axis=2)
    defined = (counts > 0)[..., None]
    mean = np.divide(sums, counts[..., None], out=np.zeros_like(sums), where=defined)
    seed_mean = mean.sum(axis=2, keepdims=True) / np.maximum(defined.sum(axis=2, keepdims=True), 1)
    sums = np.where(defined, mean, seed_mean) * count[..., None, None]
    if (
        first.transform is intensity_errors.identity
    ):  # the mean of means is the mean of sums, of fewer columns to resample
        sums = sums.mean(axis=2, keepdims=True)
    total = np.max([cell.n + cell.dropped for cell in cells], axis=0)
    dropped = np.maximum(total - count.sum(axis=0).astype(np.int64), 0)
    seed_sd = _spread([cell.value for cell in cells])
    return replace(first, user=user, sums=sums, counts=count, dropped=dropped, seed_sd=seed_sd)


def _average_pooled(pooled: Sequence[PooledMetric]) -> PooledMetric:
    values = [single.value for single in pooled]
    return replace(pooled[0], value=np.mean(values, axis=0), seed_sd=_spread(values))


def _spread(values: Sequence[np.ndarray]) -> np.ndarray:
    return np.std(values, axis=0, ddof=1)


def _align_users(values: np.ndarray, user: np.ndarray, users: np.ndarray) -> np.ndarray:
    """Return the rows of some users at their positions among all users, zeros for the others."""
    aligned = np.zeros((len(users), *values.shape[1:]))
    aligned[np.searchsorted(users, user)] = values
    return aligned
