"""scripts/bench.py serve: requests do not wait for answers, and what is reported follows from the outcomes."""

import importlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
REQUESTS = 12


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))


@pytest.fixture
def service() -> Iterator[str]:
    """A service that answers nobody until all requests have arrived: whoever waits for an answer waits for ever.

    It drops the request to /drop.
    """
    together = threading.Barrier(REQUESTS)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            together.wait(20)
            if self.path == "/drop":
                self.close_connection = True
                return
            self.send_response(503 if self.path == "/full" else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_requests_do_not_wait_for_answers(service: str, tmp_path: Path) -> None:
    load = importlib.import_module("bench_serve_load")
    paths = ["/full", "/drop", *["/recommend"] * (REQUESTS - 2)]
    requests = [{"path": path, "body": {"number": number}} for number, path in enumerate(paths)]
    plan = load.schedule(requests, 1000, np.random.default_rng(0))
    outcomes = load.LoadGenerator(service, plan, tmp_path).outcomes()
    assert [outcome["status"] for outcome in outcomes] == [503, 0, *[200] * (REQUESTS - 2)]
    assert [outcome["text"] for outcome in outcomes[2:]] == [f'{{"number": {n}}}' for n in range(2, REQUESTS)]


def test_a_latency_counts_from_the_scheduled_time() -> None:
    load = importlib.import_module("bench_serve_load")
    line = {"sent": 2.5, "answered": 4.0, "status": 200, "text": "{}"}
    assert load.timed({"at": 2.0, "path": "/"}, line) == {"at": 2.0, "path": "/", **line, "seconds": 2.0, "late": 0.5}


def test_times_are_independent_and_plans_are_merged() -> None:
    load = importlib.import_module("bench_serve_load")
    rng = np.random.default_rng(1)
    lists = load.schedule([{"path": "/recommend"}] * 4000, 40, rng)
    gaps = np.diff([request["at"] for request in lists])
    assert np.mean(gaps) == pytest.approx(1 / 40, rel=0.1)
    assert np.std(gaps) == pytest.approx(1 / 40, rel=0.1)  # exponential: the deviation is the mean
    plan = load.merged(lists, load.schedule([{"path": "/events"}] * 400, 4, rng))
    assert len(plan) == 4400
    assert (np.diff([request["at"] for request in plan]) >= 0).all()


def test_the_summary_leaves_the_warm_up_out_and_counts_what_was_not_answered() -> None:
    bench = importlib.import_module("bench_serve")

    def outcome(at: float, seconds: float, status: int = 200, path: str = "/recommend") -> dict[str, Any]:
        return {"at": at, "seconds": seconds, "status": status, "path": path, "late": 0.001}

    outcomes = [outcome(1, 9), outcome(3, 0.01), outcome(4, 0.02), outcome(5, 0.03), outcome(6, 1.0, 503)]
    outcomes += [outcome(4, 0.05, path="/events"), outcome(2, 0.1, 0), outcome(12.97, 0.03)]
    row = bench.summary(outcomes, 10)
    assert (row["lists"], row["p50_ms"], row["max_ms"], row["events_p99_ms"]) == (5, 25.0, 30.0, 50.0)
    assert row["answered_per_second"] == 0.4  # 4 answers in the 10 s from the end of the warm-up to the last one
    assert row["other_statuses"] == {"0": 1, "503": 1}
    assert bench.summary([outcome(4, 1.0, 503)], 10)["p99_ms"] is None
