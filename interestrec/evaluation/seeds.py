"""Several rankings that differ in their seed alone, as one."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

from interestrec.core.errors import ArtifactError
from interestrec.evaluation.metric_sums import MetricSums, WholeCell
from interestrec.evaluation.protocols import ProtocolResult
from interestrec.io import artifact_files, files
from interestrec.metrics import intensity_errors
from interestrec.workspace.artifacts import Artifact

T = TypeVar("T", MetricSums, WholeCell)


def require_alike(rankings: Sequence[Artifact]) -> None:
    """Refuse rankings that differ in more than their seed, and those that do not differ in it.

    Args:
        rankings: artifacts of one corpus, by seed.

    Raises:
        ArtifactError: two have the same seed, other systems or other settings.
    """
    for one, other in pairwise(rankings):
        both = f"{one.path} and {other.path}"
        if one.manifest["seed"] == other.manifest["seed"]:
            raise ArtifactError(f"{both} are both of seed {one.manifest['seed']}; give rankings of different seeds")
        systems = [set(files.read_json(each.path / artifact_files.SYSTEMS)["systems"]) for each in (one, other)]
        if alone := sorted(systems[0] ^ systems[1]):
            raise ArtifactError(f"{both} differ in their systems, only one has {', '.join(alone)}; rank the same ones")
        first, second = ({**config.pop("rank", {}), **config} for config in map(_config, (one, other)))
        if changed := [name for name in sorted({*first, *second}) if first.get(name) != second.get(name)]:
            raise ArtifactError(f"{both} were ranked with different {', '.join(changed)}; rank with equal settings")


def average_seeds(several: Sequence[ProtocolResult]) -> ProtocolResult:
    """The mean over seeds of every metric that was measured with all of them.

    A user's value is averaged over seeds before users are resampled, so an interval tells how far other users would
    move the mean of these seeds; how far another seed would move it is `seed_sd`.
    """
    if len(several) == 1:
        return several[0]
    left_out: dict[str, dict[str, int]] = {}
    for measured in several:
        for protocol, names in measured.left_out.items():
            left_out.setdefault(protocol, {}).update(names)
    return ProtocolResult(
        cells=[_cell(same) for same in _matched([measured.cells for measured in several])],
        singles=[_single(same) for same in _matched([measured.singles for measured in several])],
        left_out=left_out,
    )


def _config(rankings: Artifact) -> dict[str, Any]:
    return dict(rankings.manifest["config"])


def _matched(several: Sequence[Sequence[T]]) -> list[list[T]]:
    """The same metric of each seed, in the order of the first."""
    found = [{(one.protocol, one.slice, one.metric): one for one in measured} for measured in several]
    return [[by[key] for by in found] for key in found[0] if all(key in by for by in found)]


def _cell(cells: Sequence[MetricSums]) -> MetricSums:
    """The cells of all seeds along the axis of seeds.

    Lists are of the same requests, so their counts are equal but where a metric is not defined for what one seed shows;
    a user is then averaged over the seeds that have a value.
    """
    first = cells[0]
    user = np.unique(np.concatenate([cell.user for cell in cells]))
    sums = np.concatenate([_placed(cell.sums, cell.user, user) for cell in cells], axis=2)
    counts = np.stack([_placed(cell.counts, cell.user, user) for cell in cells], axis=2)  # [users, systems, seeds]
    count = counts.max(axis=2)
    defined = (counts > 0)[..., None]
    mean = np.divide(sums, counts[..., None], out=np.zeros_like(sums), where=defined)
    others = mean.sum(axis=2, keepdims=True) / np.maximum(defined.sum(axis=2, keepdims=True), 1)
    sums = np.where(defined, mean, others) * count[..., None, None]
    if (
        first.transform is intensity_errors.identity
    ):  # the mean of means is the mean of sums, of fewer columns to resample
        sums = sums.mean(axis=2, keepdims=True)
    total = np.max([cell.n + cell.dropped for cell in cells], axis=0)
    dropped = np.maximum(total - count.sum(axis=0).astype(np.int64), 0)
    seed_sd = _spread([cell.value for cell in cells])
    return replace(first, user=user, sums=sums, counts=count, dropped=dropped, seed_sd=seed_sd)


def _single(singles: Sequence[WholeCell]) -> WholeCell:
    values = [single.value for single in singles]
    return replace(singles[0], value=np.mean(values, axis=0), seed_sd=_spread(values))


def _spread(values: Sequence[np.ndarray]) -> np.ndarray:
    return np.std(values, axis=0, ddof=1)


def _placed(values: np.ndarray, user: np.ndarray, users: np.ndarray) -> np.ndarray:
    """Rows of some users at their places among all, zeros for the others."""
    placed = np.zeros((len(users), *values.shape[1:]))
    placed[np.searchsorted(users, user)] = values
    return placed
