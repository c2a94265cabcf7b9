"""What an export has beside its graphs: vectors and ids of items, what is known of users, and requests."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from interestrec.core import ragged
from interestrec.corpus.no_time import NO_TIME
from interestrec.exporting.exported_graph import Catalogue
from interestrec.io import files
from interestrec.model.user_arrays import UserHistories
from interestrec.scorers.requests import NOBODY, Requests
from interestrec.scorers.user_inputs import UserInputs

ITEM_IDS, USER_IDS = "item_ids.json", "user_ids.json"
ITEMS, USERS = "items.npz", "users.npz"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def write_tables(
    directory: Path, catalogue: Catalogue, item_ids: Sequence[str], user_ids: Sequence[str], inputs: UserInputs, at: int
) -> None:
    """Write items and users as the graphs read them; the last row of users is that of somebody who is not known.

    Args:
        item_ids: in the order of the catalogue.
        inputs: of the model, for users of the corpus.
        at: microseconds, the moment of the export.
    """
    np.savez(directory / ITEMS, **catalogue._asdict())
    users = np.append(np.arange(len(user_ids)), NOBODY)
    none = np.zeros(0, np.int64)
    requests = Requests(users, np.zeros(len(users) + 1, np.int64), none, none, none, np.full(len(users), at))
    known = inputs(requests)
    np.savez(directory / USERS, features=known.features, moments=known.moments)
    for name, ids in ((ITEM_IDS, item_ids), (USER_IDS, user_ids)):
        files.write_text(directory / name, json.dumps(list(ids), ensure_ascii=False))


def moment_text(time: int) -> str | None:
    """Return microseconds as ISO 8601 in UTC; None if the time is unknown."""
    return None if time == NO_TIME else (_EPOCH + timedelta(microseconds=int(time))).isoformat()


def request_values(requests: Requests, item_ids: Sequence[str], user_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return requests as JSON values; ids are those of the corpus, in its order."""
    found = []
    for number, user in enumerate(requests.user):
        own = slice(requests.offsets[number], requests.offsets[number + 1])
        events = zip(requests.item[own], requests.intensity[own], requests.time[own], strict=True)
        history = [
            {"item": item_ids[item], "intensity": float(intensity), "time": moment_text(time)}
            for item, intensity, time in events
        ]
        found.append({"user": user_ids[user], "history": history})
    return found


def request_inputs(requests: Requests, histories: UserHistories, place: np.ndarray, k: int) -> dict[str, np.ndarray]:
    """Return requests as one batch of inputs of the graphs `score` and `recommend`.

    Args:
        histories: of the same requests.
        place: int [items], the row of the export of each item of the corpus.
    """
    begin, end = histories.offsets[:-1], histories.offsets[1:]
    source, inside = ragged.padded(begin, end, max(int((end - begin).max(initial=0)), 1))
    seen, known = ragged.padded(
        requests.offsets[:-1], requests.offsets[1:], max(int(np.diff(requests.offsets).max(initial=0)), 1)
    )

    def at(values: np.ndarray, rows: np.ndarray, present: np.ndarray, absent: float) -> np.ndarray:
        return (
            np.where(present, values[rows], values.dtype.type(absent)) if len(values) else np.full(rows.shape, absent)
        )

    return {
        "history": at(place[histories.row], source, inside, 0).astype(np.int32),
        "intensity": at(histories.intensity, source, inside, 0).astype(np.float32),
        "days": at(histories.days, source, inside, 0).astype(np.float32),
        "features": histories.features.astype(np.int32),
        "moments": histories.moments,
        "excluded": at(place[requests.item], seen, known, -1).astype(np.int32),
        "k": np.array(k, np.int32),
    }
