"""A run of the web service with faults, for `scripts/bench.py serve --faults N`: what is wrong, lost or not answered.

Two decisions alternate: that of the workspace, and the one that `interestrec update --feedback` makes of it after some
events. While N requests for lists arrive, in an open loop as in bench_serve.py, the link to the decision is exchanged
five times, each time once the service answers from the one before, and half-way one process that makes lists is killed.
- 70 % of the requests are of users without new events and 20 % bring a history. Their answers must be, to the last
  digit, those of `interestrec recommend --requests -` from the decision that they name.
- 10 % are of users who get new events all the while, two reports per ten requests, one in ten delivered a second time.
  While events arrive these answers are checked for their status alone; when all is quiet, every such user is asked, and
  the list must be that of `recommend` with the events of the journal.
- Each acknowledged event must be in the journal once. Afterwards events arrive in a rush, the whole service is killed
  by SIGKILL amid them, and half a line is appended to the journal, as a power failure may leave it. After a new start
  the journal must have the acknowledged events, and the users must get the same lists as before.
"""

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench_serve_load import LoadGenerator, RequestSource, merged, schedule
from bench_serve_process import ServedProcess, link_decision, post

_SWAPS = 5
_ASKED_USERS, _HISTORIES, _EVENT_USERS = 500, 100, 100  # at most, of whom the log has
_EARLY_EVENTS = 200  # that the second decision knows and the first does not
_RUSH_RATE, _RUSH_SECONDS, _KILLED_AFTER = 200, 4, 2.0
_SWAP_SECONDS = 300
_NONE = (  # figures that must be 0
    *("lost_answers", "wrong_answers", "missing_events", "repeated_events", "wrong_lists_of_event_users"),
    *("crash_missing_events", "crash_repeated_events", "crash_wrong_lists_of_event_users"),
)


def run(program: list[str], words: list[str], workspace: Path, arguments: argparse.Namespace) -> None:
    """Run with faults and print what was found; the exit status is 1 if an answer or event is wrong or lost."""
    bench = FaultsBench(program, words, workspace, arguments.to.resolve())
    figures = bench.under_load(arguments.faults, arguments.fault_rate)
    figures |= bench.after_a_crash()
    print(json.dumps({"what": "serve", "part": "faults", **figures}), flush=True)
    if found := [name for name in _NONE if figures[name]]:
        sys.exit(f"faults: {', '.join(found)}")


class FaultsBench:
    """A service over two decisions."""

    def __init__(self, program: list[str], words: list[str], workspace: Path, to: Path) -> None:
        self.program, self.words, self.workspace, self.to = program, words, workspace, to
        first = (workspace / "decision").resolve()
        self.source = RequestSource(first, seed=2)
        known = self.source.users
        share = min(1.0, len(known) / (_ASKED_USERS + _EVENT_USERS))
        self.event_users = known[: round(share * _EVENT_USERS)]
        self.asked_users = known[len(self.event_users) :][:_ASKED_USERS]
        self.acknowledged: set[str] = set()
        self.decisions = [first, self._updated()]
        self.digests = [self._digest(decision) for decision in self.decisions]
        histories = [self.source.list_of_history()["body"] for _ in range(_HISTORIES)]
        self.fixed = [{"user": user, "k": 10} for user in self.asked_users] + histories
        self.expected = {
            digest: self._lists(decision, self.fixed)
            for digest, decision in zip(self.digests, self.decisions, strict=True)
        }

    def under_load(self, count: int, rate: float) -> dict[str, Any]:
        """Send requests during exchanges of the decision and the loss of a process; return what was found."""
        link_decision(self.workspace, self.decisions[0])
        self.service = self._serve()
        memory = self.service.usage()["memory_mib"]
        plan = self._plan(count, rate)
        generator = LoadGenerator(self.service.url, plan, self.to)
        started = time.monotonic()
        swap_seconds: list[float] = []
        during = 0
        for number in range(1, _SWAPS + 1):
            self._wait_until(started + plan[-1]["at"] * number / (_SWAPS + 2))
            if number == _SWAPS // 2 + 1:
                self.service.kill_scoring_process()
            swap_seconds.append(self._swap(number % 2))
            during += generator.is_sending
        outcomes = generator.outcomes()
        time.sleep(2)
        figures = self._checked(outcomes)
        differ = [json.dumps(a) != json.dumps(b) for a, b in zip(*self.expected.values(), strict=True)]
        return {
            **{"rate": rate, "swaps_under_load": during, "swap_seconds": swap_seconds, "processes_killed": 1},
            "lists_that_differ_between_decisions": f"{sum(differ)} of {len(differ)}",
            **figures,
            "wrong_lists_of_event_users": self._wrong_lists_of_event_users(),
            "memory_mib": self.service.usage()["memory_mib"],
            "memory_mib_before": memory,
            "start_seconds": self.service.start_seconds,
        }

    def after_a_crash(self) -> dict[str, Any]:
        """Kill the service amid a rush of events and start it again; return what was found."""
        reports = [self.source.new_events(self.event_users) for _ in range(_RUSH_RATE * _RUSH_SECONDS)]
        generator = LoadGenerator(self.service.url, schedule(reports, _RUSH_RATE, self.source.rng), self.to)
        time.sleep(_KILLED_AFTER)
        self.service.kill()
        outcomes = generator.outcomes()
        acknowledged = len(self.acknowledged)
        self._acknowledge(outcomes)
        journal = self.workspace / "feedback" / "events.jsonl"
        with journal.open("a") as file:
            file.write('{"event_id": "torn", "user_id": "')
        self.service = self._serve()
        torn = self.source.new_events(self.event_users)
        torn["body"]["events"][0]["event_id"] = "torn"
        status, answer = post(self.service.url, torn)
        self.acknowledged.add("torn")
        missing, repeated = self._missing_events()
        return {
            "crash_acknowledged": len(self.acknowledged) - acknowledged - 1,
            "crash_not_acknowledged": sum(outcome["status"] != 200 for outcome in outcomes),
            "crash_missing_events": missing,
            "crash_repeated_events": repeated,
            "crash_torn_event_kept_again": (status, answer.get("new")) == (200, 1),
            "crash_wrong_lists_of_event_users": self._wrong_lists_of_event_users(),
            "crash_start_seconds": self.service.start_seconds,
            **{f"end_{name}": value for name, value in self.service.stop().items()},
        }

    def _serve(self) -> ServedProcess:
        first = {"path": "/recommend", "body": {"user": self.asked_users[0], "k": 10}}
        return ServedProcess([*self.program, "serve", "--port", "0", *self.words], self.to / "service.log", first)

    def _updated(self) -> Path:
        """Return the decision that follows the first reports of events."""
        service = self._serve()
        early = self.source.new_events(self.event_users, _EARLY_EVENTS)
        status, answer = post(service.url, early)
        if status != 200:
            sys.exit(f"the service refused events: {answer}")
        self.acknowledged.update(event["event_id"] for event in early["body"]["events"])
        service.stop()
        subprocess.run([*self.program, "update", "--feedback", "--quiet", *self.words], check=True, stdout=sys.stderr)
        return (self.workspace / "decision").resolve()

    def _digest(self, decision: Path) -> str:
        from interestrec.workspace.artifacts import open_artifact

        return open_artifact(decision, "decision").digest

    def _plan(self, count: int, rate: float) -> list[dict[str, Any]]:
        """Return requests for lists, `fixed` being the number of the list that is expected, and reports of events."""
        rng, users = self.source.rng, len(self.asked_users)
        lists: list[dict[str, Any]] = []
        for kind in rng.choice(3, count, p=[0.7, 0.2, 0.1]).tolist():
            if kind == 2:
                lists.append(self.source.list_of_user(self.event_users))
                continue
            number = int(rng.integers(users) if kind == 0 else users + rng.integers(_HISTORIES))
            lists.append({"path": "/recommend", "body": self.fixed[number], "fixed": number})
        reports = []
        for _ in range(count // 5):
            again = reports and rng.random() < 0.1
            reports.append(reports[-1] if again else self.source.new_events(self.event_users, int(rng.integers(1, 4))))
        return merged(schedule(lists, rate, rng), schedule(reports, rate / 5, rng))

    def _swap(self, number: int) -> float:
        """Make a decision the current one and return the seconds until the service answers from it."""
        link_decision(self.workspace, self.decisions[number])
        started = time.monotonic()
        while self.service.decision() != self.digests[number]:
            if time.monotonic() - started > _SWAP_SECONDS:
                sys.exit(f"the service does not take decision {self.digests[number]}; see {self.to / 'service.log'}")
            time.sleep(0.1)
        return round(time.monotonic() - started, 1)

    def _wait_until(self, moment: float) -> None:
        time.sleep(max(0.0, moment - time.monotonic()))

    def _checked(self, outcomes: list[dict[str, Any]]) -> dict[str, Any]:
        """Compare the answers with what is expected, and the journal with what was acknowledged."""
        lists = [outcome for outcome in outcomes if outcome["path"] == "/recommend"]
        compared: Counter[str] = Counter()
        wrong: list[str] = []
        for outcome in lists:
            if outcome["status"] != 200 or "fixed" not in outcome:
                continue
            answer = json.loads(outcome["text"])
            expected = self.expected.get(answer["decision"])
            compared[answer["decision"][:8]] += 1
            if expected is None or answer["items"] != expected[outcome["fixed"]]:
                wrong.append(outcome["text"])
        (self.to / "wrong_answers.jsonl").write_text("".join(text + "\n" for text in wrong))
        self._acknowledge(outcomes)
        missing, repeated = self._missing_events()
        statuses = Counter(outcome["status"] for outcome in outcomes if outcome["status"] != 200)
        return {
            "requests_for_lists": len(lists),
            "reports_of_events": len(outcomes) - len(lists),
            "lost_answers": statuses.pop(0, 0),
            "other_statuses": {str(status): count for status, count in sorted(statuses.items())},
            "compared_by_decision": dict(compared),
            "wrong_answers": len(wrong),
            "acknowledged_events": len(self.acknowledged),
            "missing_events": missing,
            "repeated_events": repeated,
            "max_ms": round(1000 * max(outcome["seconds"] for outcome in lists)),
        }

    def _acknowledge(self, outcomes: list[dict[str, Any]]) -> None:
        for outcome in outcomes:
            if outcome["path"] == "/events" and outcome["status"] == 200:
                self.acknowledged.update(event["event_id"] for event in outcome["body"]["events"])

    def _records(self) -> list[dict[str, Any]]:
        from interestrec.serving.feedback_journal import read_records

        return read_records(self.workspace / "feedback" / "events.jsonl")

    def _missing_events(self) -> tuple[int, int]:
        """Return how many acknowledged events the journal has not, and how many events it has more than once."""
        found = Counter(record["event_id"] for record in self._records())
        return len(self.acknowledged - set(found)), sum(count > 1 for count in found.values())

    def _wrong_lists_of_event_users(self) -> int:
        """Compare the lists of users with new events with those of `recommend` that gets the events of the journal."""
        from interestrec.scoring.decision_files import read_context
        from interestrec.serving.request_bodies import GivenEvent

        number = self.digests.index(str(self.service.decision()))
        later = self._records()[read_context(self.decisions[number]).feedback :]
        recent: dict[str, list[str]] = {user: [] for user in self.event_users}
        for record in sorted(later, key=lambda record: str(record["time"])):
            event = GivenEvent(item=record["item_id"], kind=record["event"], value=record["value"])
            recent.setdefault(record["user_id"], []).append(event.notation())
        asked = [{"user": user, "k": 10} for user in self.event_users]
        expected = self._lists(
            self.decisions[number], [{**body, "new_events": recent[str(body["user"])]} for body in asked]
        )
        answers = [post(self.service.url, {"path": "/recommend", "body": body}) for body in asked]
        return sum(answer[1].get("items") != items for answer, items in zip(answers, expected, strict=True))

    def _lists(self, decision: Path, bodies: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        """Return the items of lists that `recommend` makes; a body of `/recommend` becomes one of its lines."""
        from interestrec.serving.request_bodies import GivenEvent

        lines = []
        for body in bodies:
            line = {**body, "components": True}
            if "history" in body:
                line["history"] = [GivenEvent(**event).notation() for event in body["history"]]
            lines.append(json.dumps(line) + "\n")
        command = [*self.program, "recommend", "--requests", "-", "--quiet", "--decision", str(decision), *self.words]
        done = subprocess.run(command, input="".join(lines), check=True, stdout=subprocess.PIPE, text=True)
        return [json.loads(line)["items"] for line in done.stdout.splitlines()]
