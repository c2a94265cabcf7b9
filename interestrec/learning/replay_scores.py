"""Lists of a window as metric values of users, and the files that hold them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from interestrec.core import ragged
from interestrec.evaluation.list_metrics import ListTruth, SystemLists, rank_stored_lists
from interestrec.io import commit, files
from interestrec.io.report_schemas import REPLAY_SCORES

REPLAY_METRICS = tuple(REPLAY_SCORES.names[1:])
HEADLINE_METRIC = REPLAY_METRICS[0]
LONGEST = 10  # items of a list that the metrics read


def score_lists(
    users: np.ndarray, lists: Iterable[Sequence[str]], item_row: Mapping[str, int], truth: ListTruth
) -> pa.Table:
    """Return a row of REPLAY_SCORES per user, all of whom have a true item.

    Args:
        users: int64 [users], ascending.
        lists: item ids of each user's list, best first.
        item_row: item of each id; an item of a list that is not in it is relevant to nobody.
    """
    unknown = len(item_row)
    items = [[item_row.get(name, unknown) for name in names] for names in lists]
    lengths = np.array([len(row) for row in items], np.int64)
    flat = np.array([item for row in items for item in row], np.int64)
    offsets = ragged.from_lengths(lengths)
    place = np.arange(len(flat)) - np.repeat(offsets[:-1], lengths)
    scored = SystemLists(REPLAY_METRICS)
    scored.rank(users, rank_stored_lists(users, offsets, flat, -place.astype(np.float64), truth, graded=False))
    columns = {"user": pa.array(users)} | dict(zip(REPLAY_METRICS, map(pa.array, scored.values), strict=True))
    return pa.table(columns, schema=REPLAY_SCORES)


def write_scores(path: Path, table: pa.Table) -> None:
    """Write rows of REPLAY_SCORES: the file is there whole or not at all."""
    with commit.staged_file(path) as staged:
        files.write_parquet(staged, table, REPLAY_SCORES)


def read_scores(path: Path) -> pa.Table:
    """Read rows of REPLAY_SCORES."""
    return files.read_parquet(path, REPLAY_SCORES)


def list_of(document: Mapping[str, Any]) -> list[str]:
    """Return the item ids of an answer's list, best first."""
    return [item["item_id"] for item in document["items"]]
