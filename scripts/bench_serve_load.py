"""Open-loop load for `bench.py serve`: requests are sent at times fixed beforehand, however slow the answers are.

`RequestSource` draws requests, `schedule` gives them times with exponential gaps, and `LoadGenerator` sends them from a
process of its own, which is this file as a command:

    bench_serve_load.py URL PLAN OUTCOMES

PLAN has one JSON object per line: `at`, the seconds after the start, `path` and `body`. OUTCOMES gets, in the same
order, the seconds after the start at which the request was `sent` and `answered`, `status` (0: no answer) and `text`.
"""

import asyncio
import gc
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_ANSWER_SECONDS = 90  # without an answer by then, the request is lost
_IDLE_SECONDS = 3  # the service closes a connection that is idle for 5 s; the client must be the first
_DRAWN = 10_000  # events of the log whose items, kinds and values are used


class RequestSource:
    """Requests of users of a decision's log, and new events like those of the log."""

    def __init__(self, decision: Path, seed: int) -> None:
        from interestrec.io import artifact_files, files
        from interestrec.serving.decision_outline import DecisionOutline
        from interestrec.workspace.artifacts import open_artifact

        self.outline = DecisionOutline.read(open_artifact(decision, "decision"))
        if self.outline.context.pseudonyms is not None:
            sys.exit("the log has pseudonyms, which nobody asks by; use a decision without them")
        self.rng = np.random.default_rng(seed)
        columns = ["item", "event", "value"]
        events = files.read_parquet(decision / artifact_files.LOG / artifact_files.TIMELINES, columns=columns)
        events = events.take(self.rng.integers(0, len(events), _DRAWN))
        ids = self.outline.items["item_id"].take(events["item"])
        fields = {"item": ids.to_pylist(), "kind": events["event"].to_pylist(), "value": events["value"].to_pylist()}
        self.given = [dict(zip(fields, row, strict=True)) for row in zip(*fields.values(), strict=True)]
        self.users = self.rng.permutation(np.array(self.outline.users.to_pylist(), object)).tolist()
        self.events_made = 0

    def list_of_user(self, users: Sequence[str]) -> dict[str, Any]:
        """Return the request for the list of one of some users."""
        return {"path": "/recommend", "body": {"user": users[self.rng.integers(len(users))], "k": 10}}

    def list_of_history(self) -> dict[str, Any]:
        """Return the request for the list of a person with 1 to 20 events."""
        chosen = self.rng.integers(0, _DRAWN, self.rng.integers(1, 21))
        return {"path": "/recommend", "body": {"history": [self.given[n] for n in chosen], "k": 10}}

    def new_events(self, users: Sequence[str], count: int = 1) -> dict[str, Any]:
        """Return the report of new events of some users."""
        events = []
        for _ in range(count):
            self.events_made += 1
            user = users[self.rng.integers(len(users))]
            events.append({**self.given[self.rng.integers(_DRAWN)], "event_id": f"e{self.events_made}", "user": user})
        return {"path": "/events", "body": {"events": events}}


def schedule(requests: Sequence[dict[str, Any]], rate: float, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return requests with times, so that `rate` of them arrive per second on average, independently of each other."""
    times = np.cumsum(rng.exponential(1 / rate, len(requests))).tolist()
    return [{"at": at, **request} for at, request in zip(times, requests, strict=True)]


def merged(*plans: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the requests of several plans in the order of their times."""
    return sorted((request for plan in plans for request in plan), key=lambda request: request["at"])


class LoadGenerator:
    """The process that sends the requests of a plan; it has started when the object exists."""

    def __init__(self, url: str, plan: Sequence[dict[str, Any]], directory: Path) -> None:
        self._plan, self._outcomes = plan, directory / "outcomes.jsonl"
        path = directory / "plan.jsonl"
        path.write_text("".join(json.dumps(request) + "\n" for request in plan))
        command = [sys.executable, __file__, url, str(path), str(self._outcomes)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._process.stdout.readline()

    @property
    def is_sending(self) -> bool:
        """Whether answers are still to come."""
        return self._process.poll() is None

    def outcomes(self) -> list[dict[str, Any]]:
        """Wait for the last answer and return the requests with their outcomes."""
        if self._process.wait():
            sys.exit("the load generator failed")
        with self._outcomes.open() as lines:
            return [timed(request, json.loads(line)) for request, line in zip(self._plan, lines, strict=True)]


def timed(request: dict[str, Any], outcome: dict[str, Any]) -> dict[str, Any]:
    """Return a request with its outcome.

    `seconds` count from the scheduled time to the end of the answer; `late` is how much later than it the request
    was sent.
    """
    at = request["at"]
    return request | outcome | {"seconds": outcome["answered"] - at, "late": outcome["sent"] - at}


async def _send_all(url: str, plan: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    import aiohttp

    clock = asyncio.get_running_loop().time
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS)
    headers, timeout = {"Content-Type": "application/json"}, aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
    bodies = [json.dumps(request["body"]).encode() for request in plan]
    async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as session:
        start = clock() + 0.5

        async def send(number: int) -> dict[str, Any]:
            sent = clock() - start
            try:
                async with session.post(url + plan[number]["path"], data=bodies[number]) as response:
                    status, text = response.status, await response.text()
            except (aiohttp.ClientError, TimeoutError) as error:
                status, text = 0, repr(error)
            return {"sent": sent, "answered": clock() - start, "status": status, "text": text}

        print("started", flush=True)
        sent = []
        for number, request in enumerate(plan):
            await asyncio.sleep(start + request["at"] - clock())
            sent.append(asyncio.create_task(send(number)))
        return await asyncio.gather(*sent)


def main() -> None:
    """Send the requests of a plan and write their outcomes."""
    url, plan, outcomes = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    requests = [json.loads(line) for line in plan.read_text().splitlines()]
    gc.freeze()  # a collection over all requests would delay some of them
    found = asyncio.run(_send_all(url, requests))
    outcomes.write_text("".join(json.dumps(outcome) + "\n" for outcome in found))


if __name__ == "__main__":
    main()
