"""Lists of an export: `python recommend.py examples.json [k]`. Needs NumPy and the runtime that runtime.py imports."""

import json
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import numpy as np


def requested_lists(here: Path, run: Callable, requests: list[dict], k: int) -> Iterator[dict]:
    """Yield lists, best item first; a request has a `history`, oldest event first, and may have a known `user`."""
    about, items, users = (json.loads((here / f"{n}.json").read_bytes()) for n in ("signature", "item_ids", "user_ids"))
    item_row, user_row = ({name: row for row, name in enumerate(names)} for names in (items, users))
    known = dict(np.load(here / "users.npz", allow_pickle=False))  # the last row is of somebody who is not known
    now = about["moment"] or "0001-01-01T00:00:00+00:00"  # in a log without times no event is older than now
    for request in requests:
        seen = [item_row[event["item"]] for event in request["history"]]
        latest = request["history"][-about["max_history"] :]
        ages = [datetime.fromisoformat(now) - datetime.fromisoformat(event.get("time") or now) for event in latest]
        inputs = {name: rows[[user_row.get(request.get("user"), -1)]] for name, rows in known.items()}
        inputs["history"] = np.array([seen[-about["max_history"] :] or [0]], np.int32)
        inputs["intensity"] = np.array([[event["intensity"] for event in latest] or [0]], np.float32)
        inputs["days"] = np.log1p([[max(age.total_seconds(), 0) / 86400 for age in ages] or [0]]).astype(np.float32)
        inputs["excluded"] = np.array([seen or [-1]], np.int32)  # what was seen is not shown again
        inputs["k"] = np.array(min(k, len(items)), np.int32)
        best = run("recommend", inputs)
        listed = best["scores"][0] > np.finfo(np.float32).min  # what is excluded comes last, with this score
        names = [items[row] for row in best["items"][0][listed]]
        yield {"user": request.get("user"), "items": names, "scores": best["scores"][0][listed].tolist()}


if __name__ == "__main__":
    from runtime import open_graphs

    export, number = Path(__file__).parent, int(sys.argv[2]) if len(sys.argv) > 2 else 10
    for answer in requested_lists(export, open_graphs(export).run, json.loads(Path(sys.argv[1]).read_bytes()), number):
        print(json.dumps(answer))
