"""Stands in for `interestrec recommend --requests -`: answers JSON lines at once, and misbehaves on request.

    python scoring_stand_in.py NAME [unready]

A request with the item `die` in its history ends the process, `hang` keeps it silent, `noise` makes it print no JSON.
"""

import json
import os
import sys
import time


def answer(request: dict, name: str) -> dict:
    if request.get("user") == "unheard":
        return {"user_id": "x", "error": "line 3: no event of the log is of kind 'x'"}
    items = [{"rank": 1, "item_id": name, "title": "T", "score": 1.0, "intensity": 0.5, "components": {"a": 1.0}}]
    items[0]["asked"] = {key: value for key, value in request.items() if value is not None}
    if request.get("why"):
        items[0]["why"] = f"because of {', '.join(request.get('history') or ())}"
    return {"user_id": request.get("user"), "items": items, "unknown": {"user": [], "items": []}}


def main() -> None:
    name, *words = sys.argv[1:]
    if "unready" in words:
        sys.exit(65)
    for line in sys.stdin:
        request = json.loads(line)
        events = [*(request.get("history") or ()), *request.get("new_events", ())]
        if "die" in events:
            os._exit(1)
        if "hang" in events:
            time.sleep(600)
        if "slow" in events:
            time.sleep(0.3)
        print("noise" if "noise" in events else json.dumps(answer(request, name)), flush=True)


if __name__ == "__main__":
    main()
