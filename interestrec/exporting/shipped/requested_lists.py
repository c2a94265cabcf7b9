"""Lists of an export: `python recommend.py examples.json [k]`. Needs NumPy and the runtime that runtime.py imports."""

import json
import math
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np


class RequestInputs:
    """Turns requests into inputs of the graphs `recommend` and `score`."""

    def __init__(self, directory: Path) -> None:
        self.signature = json.loads((directory / "signature.json").read_text(encoding="utf-8"))
        self.items = json.loads((directory / "item_ids.json").read_text(encoding="utf-8"))
        self.row = {name: row for row, name in enumerate(self.items)}
        users = json.loads((directory / "user_ids.json").read_text(encoding="utf-8"))
        self.user = {name: row for row, name in enumerate(users)}
        self.users = dict(
            np.load(directory / "users.npz", allow_pickle=False)
        )  # the last row is that of somebody who is not known
        moment = self.signature["moment"]
        self.moment = None if moment is None else datetime.fromisoformat(moment)

    def __call__(self, request: dict[str, Any], k: int) -> dict[str, np.ndarray]:
        """Return the inputs of one request: its `user`, if known, and its `history`, oldest event first."""
        rows = [self.row[event["item"]] for event in request["history"]]
        latest = slice(max(len(rows) - self.signature["max_history"], 0), None)
        strength = [event["intensity"] for event in request["history"]][latest]
        days = [self._days_since(event.get("time")) for event in request["history"]][latest]
        user = [self.user.get(request.get("user"), len(self.user))]
        return {
            "history": np.array([rows[latest] or [0]], np.int32),
            "intensity": np.array([strength or [0]], np.float32),
            "days": np.array([days or [0]], np.float32),
            "features": self.users["features"][user],
            "moments": self.users["moments"][user],
            "excluded": np.array([rows or [-1]], np.int32),  # what was seen is not shown again
            "k": np.array(min(k, len(self.items)), np.int32),
        }

    def _days_since(self, time: str | None) -> float:
        if time is None or self.moment is None:
            return 0.0
        return math.log1p(max((self.moment - datetime.fromisoformat(time)) / timedelta(days=1), 0.0))


def main() -> None:
    """Print a JSON line per request with its items and their scores."""
    from runtime import open_graphs

    here = Path(__file__).parent
    inputs, graphs = RequestInputs(here), open_graphs(here)
    k = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    for request in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        found = graphs.run("recommend", inputs(request, k))
        best = found["scores"][0] > np.finfo(np.float32).min
        items = [inputs.items[row] for row in found["items"][0][best]]
        print(json.dumps({"user": request.get("user"), "items": items, "scores": found["scores"][0][best].tolist()}))


if __name__ == "__main__":
    main()
