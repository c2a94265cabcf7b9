"""Load test of the web service, for `scripts/bench.py serve`: latency over offered load, and a run with faults.

    scripts/bench.py serve --config shop --to workspace/serve
    scripts/bench.py serve --config shop --to workspace/serve --rates 25,50,100,200 --seconds 60 --peer 1,2
    scripts/bench.py serve --config shop --to workspace/serve --rates 25 --faults

The workspace of the configuration needs a decision; the benchmark links to its artifacts from a workspace of its own in
`--to`. The load is open: requests arrive at times drawn beforehand, exponentially apart, and a latency counts from the
scheduled time, so a service that falls behind gets no fewer requests. The generator is a process of its own on the same
machine. Per second arrive RATE requests for lists of 10 items, one in five of them with a history of 1 to 20 events,
the others of users of the log, and in addition RATE / 10 reports of one new event, which count in the later lists of
these users. The first 3 seconds of a rate warm the service up and are left out. The start is measured from that of the
process to the first list; whether files are in the page cache is left to whoever runs the benchmark.

`--faults` is described in bench_serve_faults.py, the other service of `--peer` in bench_peer_service.py. One JSON line
per measurement goes to standard output, and a table of the rates to standard error.
"""

import argparse
import json
import socket
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import bench_serve_faults
import numpy as np
from bench_serve_load import LoadGenerator, RequestSource, merged, schedule
from bench_serve_process import ServedProcess, make_workspace

_WARM_UP = 3.0  # seconds
_HISTORIES, _EVENTS = 0.2, 0.1  # requests with a history, and reports of an event, per request for a list
_GOAL = 0.1  # seconds; the load at which the 99th percentile passes it is looked for
_PEER = Path(__file__).with_name("bench_peer_service.py")


def add_parser(benches: Any) -> None:
    """Add the subcommand `serve`."""
    parser = benches.add_parser("serve", help="latency of the web service over offered load, and a run with faults")
    parser.add_argument("--config", required=True, metavar="FILE")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as of interestrec; repeatable")
    parser.add_argument("--workspace", type=Path, metavar="DIR", help="replaces the workspace of the configuration")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="a workspace, plans, answers and logs")
    parser.add_argument("--rates", type=_numbers, default="25,50,100,200", help="requests/s; 25,50,100,200 by default")
    parser.add_argument("--seconds", type=float, default=20, help="of each rate, beside the warm-up; 20 by default")
    parser.add_argument("--peer", type=_numbers, default="", metavar="N,N", help="also the other service, N processes")
    parser.add_argument("--faults", type=int, nargs="?", const=24_000, metavar="N", help="requests; 24,000 by default")
    parser.add_argument("--fault-rate", type=float, default=25, help="requests/s of --faults; 25 by default")


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]


def run(arguments: argparse.Namespace) -> None:
    """Run the benchmark with the arguments of the command line."""
    from interestrec.config.loading import load_config

    source = load_config(arguments.config, arguments.set, arguments.workspace).workspace
    to = arguments.to.resolve()
    workspace = make_workspace(source, to / "workspace")
    words = ["--config", arguments.config, *(word for value in arguments.set for word in ("--set", value))]
    words += ["--workspace", str(workspace)]
    program = [sys.executable, "-m", "interestrec"]
    decision = (workspace / "decision").resolve()
    rows = []
    if arguments.rates:
        command = [*program, "serve", "--port", "0", *words]
        rows += _measure_service("interestrec", command, decision, to, arguments.rates, arguments.seconds)
    for size in arguments.peer:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        command = [
            sys.executable,
            str(_PEER),
            str(decision / "log"),
            str(to / "peer_events.jsonl"),
            str(size),
            str(port),
        ]
        rows += _measure_service(f"implicit x{size}", command, decision, to, arguments.rates, arguments.seconds)
    if rows:
        print(_table(rows), file=sys.stderr)
    if arguments.faults:
        bench_serve_faults.run(program, words, make_workspace(source, to / "workspace"), arguments)


def _measure_service(
    name: str, command: list[str], decision: Path, to: Path, rates: list[int], seconds: float
) -> list[dict[str, Any]]:
    """Measure a service at several rates and print the measurements."""
    source = RequestSource(decision, seed=1)
    first = {"path": "/recommend", "body": {"user": source.users[0], "k": 10}}
    service = ServedProcess(command, to / "service.log", first)
    about = {"what": "serve", "service": name, "items": len(source.outline.items), "users": len(source.users)}
    _report({**about, "part": "start", "start_seconds": service.start_seconds, **service.usage()})
    rows = []
    for rate in rates:
        plan = _plan(source, rate, _WARM_UP + seconds)
        before = service.usage()
        outcomes = LoadGenerator(service.url, plan, to).outcomes()
        after = service.usage()
        row = {**about, "part": "rate", **summary(outcomes, rate)}
        row["cpu_seconds"] = round(after["cpu_seconds"] - before["cpu_seconds"], 2)
        rows.append(_report({**row, "memory_mib": after["memory_mib"], "memory_mib_before": before["memory_mib"]}))
    kept = [row["rate"] for row in rows if row["p99_ms"] is not None and row["p99_ms"] <= 1000 * _GOAL]
    passed = [row["rate"] for row in rows if row["rate"] not in kept]
    goal = {"p99_within_ms": 1000 * _GOAL, "highest_rate": max(kept, default=None), "missed": min(passed, default=None)}
    _report({**about, "part": "goal", **goal, **service.stop()})
    return rows


def _plan(source: RequestSource, rate: float, seconds: float) -> list[dict[str, Any]]:
    """Return lists and reports of events that arrive independently of each other."""
    lists = [
        source.list_of_history() if source.rng.random() < _HISTORIES else source.list_of_user(source.users)
        for _ in range(round(rate * seconds))
    ]
    events = [source.new_events(source.users) for _ in range(round(_EVENTS * rate * seconds))]
    return merged(schedule(lists, rate, source.rng), schedule(events, _EVENTS * rate, source.rng))


def summary(outcomes: list[dict[str, Any]], rate: float) -> dict[str, Any]:
    """Return the latencies of the answered requests after the warm-up, and what was not answered."""
    measured = [outcome for outcome in outcomes if outcome["at"] >= _WARM_UP]
    lists = [outcome for outcome in measured if outcome["path"] == "/recommend"]
    answered = np.array([outcome["seconds"] for outcome in lists if outcome["status"] == 200])
    kept = [o["seconds"] for o in measured if o["path"] == "/events" and o["status"] == 200]
    last = max((o["at"] + o["seconds"] for o in lists if o["status"] == 200), default=np.inf)
    statuses = Counter(o["status"] for o in outcomes if o["status"] != 200)
    return {
        "rate": rate,
        "lists": len(lists),
        "answered_per_second": round(len(answered) / (last - _WARM_UP), 1),
        **_percentiles(answered),
        "events_p99_ms": _percentiles(np.array(kept))["p99_ms"],
        "other_statuses": {str(status): count for status, count in sorted(statuses.items())},
        "late_p99_ms": _percentiles(np.array([outcome["late"] for outcome in measured]))["p99_ms"],
    }


def _percentiles(seconds: np.ndarray) -> dict[str, float | None]:
    points = {"p50_ms": 50, "p90_ms": 90, "p99_ms": 99, "max_ms": 100}
    if not len(seconds):
        return dict.fromkeys(points)
    return {name: round(1000 * float(np.percentile(seconds, point)), 1) for name, point in points.items()}


def _report(record: dict[str, Any]) -> dict[str, Any]:
    print(json.dumps(record), flush=True)
    return record


def _table(rows: list[dict[str, Any]]) -> str:
    """Format the measurements of the rates."""
    names = {"rate": "rate/s", "answered_per_second": "answered/s", "p50_ms": "p50 ms", "p90_ms": "p90 ms"}
    names |= {"p99_ms": "p99 ms", "max_ms": "max ms", "events_p99_ms": "events p99", "late_p99_ms": "sent late"}
    names |= {"cpu_seconds": "CPU s", "memory_mib": "MiB"}
    lines = [f"{'service':<14}" + "".join(f"{title:>12}" for title in names.values()) + "  other statuses"]
    for row in rows:
        numbers = "".join(f"{'-' if row[name] is None else row[name]:>12}" for name in names)
        lines.append(f"{row['service']:<14}{numbers}  {row['other_statuses'] or ''}")
    return "\n".join(lines)
