"""The files of impressions and candidates, read by row groups into arrays."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interestrec.corpus.timeline_files import microseconds, split_codes
from interestrec.io import artifact_files, files
from interestrec.io.spilled_arrays import SpilledArray


@dataclass(frozen=True)
class Impressions:
    """Requests with their candidates; impression i has the rows `offsets[i]:offsets[i + 1]` of `item` and `label`."""

    user: np.ndarray  # int32 [impressions]
    time: np.ndarray  # int64 [impressions], epoch microseconds, NO_TIME where null
    split: np.ndarray  # int8 [impressions], index into schemas.SPLITS
    history_start: np.ndarray  # int64 [impressions], row of Timelines
    history_end: np.ndarray  # int64 [impressions], row of Timelines, exclusive
    offsets: np.ndarray  # int64 [impressions + 1]
    item: np.ndarray  # int32 [candidates]
    label: np.ndarray  # float32 [candidates], NaN where unknown


def read_impressions(directory: Path, first_rows: np.ndarray) -> Impressions:
    """Read all impressions of a corpus and their candidates.

    Args:
        directory: of the corpus.
        first_rows: int64 [users + 1], the first row of each user in the timelines.

    Raises:
        ArtifactError, AccessError: see `files.stream_parquet`.
    """
    names = ["user", "time", "split", "history_start", "history_end"]
    columns = SpilledArray.several((np.int32, np.int64, np.int8, np.int64, np.int64), directory)
    number = 0
    for table in files.stream_parquet(directory / artifact_files.IMPRESSIONS, names):
        user = table["user"].to_numpy()
        first, number = first_rows[user], number + len(user)
        start, end = (first + table[name].to_numpy() for name in names[3:])
        parts = (user, microseconds(table["time"]), split_codes(table["split"]), start, end)
        for column, part in zip(columns, parts, strict=True):
            column.append(part)
    user, time, split, start, end = (column.finish() for column in columns)
    offsets, item, label = _read_candidates(directory, number)
    return Impressions(user, time, split, start, end, offsets, item, label)


def _read_candidates(directory: Path, impressions: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the offsets of the candidates of all impressions, their items and their labels."""
    names = ["impression", "item", "label"]
    offsets = np.zeros(impressions + 1, np.int64)
    item, label = SpilledArray.several((np.int32, np.float32), directory)
    for table in files.stream_parquet(directory / artifact_files.CANDIDATES, names):
        owner = table["impression"].to_numpy()
        first = int(owner.min(initial=impressions))
        counts = np.bincount(owner - first)
        offsets[first + 1 : first + 1 + len(counts)] += counts
        item.append(table["item"].to_numpy())
        label.append(table["label"].to_numpy(zero_copy_only=False))
    np.cumsum(offsets, out=offsets)
    return SpilledArray.of(offsets, directory), item.finish(), label.finish()
