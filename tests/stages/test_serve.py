"""`interestrec serve` as a process: the lists of `recommend`, whatever happens to it and to its decision."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from interestrec.config.loading import load_settings
from interestrec.config.yaml_positions import dump_yaml
from interestrec.core.errors import ConfigError
from interestrec.serving.feedback_journal import read_records
from interestrec.stages import rank, serve, update
from interestrec.stages.run import RunContext
from tests.serving import documented
from tests.stages.ranking import N_USERS, log_of_events, workspace

pytestmark = pytest.mark.slow
USERS = [f"u{number}" for number in range(N_USERS)]
# Two decisions of one configuration, from different logs.
RANK: dict[str, Any] = {
    "systems": ["interestrec"],
    "components": ["item_item", "collaborative", "trending", "content"],
    "estimators": ["bias"],
    "ablation": "none",
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a workspace with a decision; `other` beside it has another one."""
    root = tmp_path_factory.mktemp("serve")
    for name, seed in (("other", 1), ("space", 0)):
        log = [event._replace(event="view" if event.item % 3 else "purchase") for event in log_of_events(seed)]
        context = workspace(root / name, log, **RANK)
        rank.run(context)
    path = root / "interestrec.yaml"
    settings = context.settings.model_copy(
        update={"serve": context.settings.serve.model_copy(update={"port": 0, "workers": 2, "poll_seconds": 0.1})}
    )
    path.write_text(dump_yaml(settings.model_dump(mode="json")))
    return path


class Service:
    """A process of `interestrec serve`."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.process = process
        self.port = port

    def post(self, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            document = json.loads(response.read())
            documented.check("POST", path, response.status, document)
            return response.status, document
        finally:
            connection.close()

    def lists(self) -> dict[str, list[dict[str, Any]]]:
        return {user: self.items(user=user) for user in USERS}

    def items(self, **body: Any) -> list[dict[str, Any]]:
        status, answer = self.post("/recommend", **body)
        assert status == 200, answer
        return [{name: value for name, value in item.items() if name != "components"} for item in answer["items"]]

    def scoring_processes(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()


@contextmanager
def running(config: Path, *arguments: str) -> Iterator[Service]:
    command = [sys.executable, "-m", "interestrec", "serve", "--config", str(config), *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    lines: list[str] = []
    try:
        for line in process.stderr:
            lines.append(line)
            if found := re.search(r"listening on http://127\.0\.0\.1:(\d+)", line):
                break
        else:
            pytest.fail("".join(lines))
        threading.Thread(target=lambda: lines.extend(process.stderr or ()), daemon=True).start()
        yield Service(process, int(found[1]))
    finally:
        process.terminate()
        process.wait(30)


def recommended(config: Path, space: str = "space", requests: list[dict[str, Any]] | None = None) -> list[Any]:
    """The lists of `interestrec recommend --requests -`, of all users unless the requests say otherwise."""
    lines = "\n".join(json.dumps(request) for request in requests or [{"user": user} for user in USERS])
    command = [sys.executable, "-m", "interestrec", "recommend", "--config", str(config), "--requests", "-"]
    command += ["--decision", str(config.parent / space / "decision")]
    outcome = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line)["items"] for line in outcome.stdout.splitlines()]


def point_decision_at(config: Path, space: str) -> None:
    link = config.parent / "space" / "decision"
    partial = link.with_name("decision-new")
    partial.symlink_to((config.parent / space / "decision").resolve())
    partial.replace(link)


def test_lists_are_those_of_recommend(config: Path) -> None:
    expected = dict(zip(USERS, recommended(config), strict=True))
    with running(config) as service:
        assert service.lists() == expected
        given = {"history": ["i1", "i2:view"], "exclude": ["i3"], "k": 4}
        assert [service.items(**given)] == recommended(config, requests=[given])
        status, answer = service.post("/recommend", user="nobody-known", history=None)
        assert status == 200
        assert answer["unknown"] == {"user": True, "items": []}
        status, answer = service.post("/recommend", history=["i1", "not-there:view"], candidates=["i2", "i4", "gone"])
        assert answer["unknown"]["items"] == ["not-there", "gone"]
        assert {item["item_id"] for item in answer["items"]} == {"i2", "i4"}
        status, answer = service.post("/recommend", user="u1", filter=["colour=red"])
        assert status == 422
        assert "colour" in answer["error"]["reason"]
        (reason, *_) = service.items(user="u1", explain=True)
        assert reason["why"]


def test_feedback_counts_at_once_and_outlives_the_service(config: Path) -> None:
    kept = {"user": "u5", "new_events": ["i20:view", "i21:view"]}
    (expected,) = recommended(config, requests=[kept])
    (before,) = recommended(config, requests=[{"user": "u5"}])
    assert expected != before
    events = [{"event_id": f"e{n}", "user": "u5", "item": f"i{n}", "kind": "view"} for n in (20, 21)]
    with running(config) as service:
        assert service.items(user="u5") == before
        status, answer = service.post("/events", events=events)
        assert (status, answer["new"], answer["known"]) == (200, 2, 0)
        assert service.items(user="u5") == expected
        service.process.kill()
        service.process.wait()
    journal = config.parent / "space" / "feedback" / "events.jsonl"
    with journal.open("ab") as cut:
        cut.write(b'{"event_id": "e22", "user_')
    with running(config) as service:
        assert service.items(user="u5") == expected
        assert service.post("/events", events=events)[1]["known"] == 2
    assert [record["event_id"] for record in read_records(journal)] == ["e20", "e21"]


def test_exchanges_of_decisions_and_a_killed_process_lose_no_answer(config: Path) -> None:
    journal = config.parent / "space" / "feedback" / "events.jsonl"
    journal.unlink(missing_ok=True)
    own = (config.parent / "space" / "decision").resolve()
    by_space = {space: dict(zip(USERS, recommended(config, space), strict=True)) for space in ("space", "other")}
    assert by_space["space"] != by_space["other"]
    answers: list[tuple[str, int, dict[str, Any]]] = []
    over = threading.Event()
    with running(config) as service:
        digest = service.post("/recommend", user="u1")[1]["decision"]

        def client(users: list[str]) -> None:
            while not over.is_set():
                for user in users:
                    answers.append((user, *service.post("/recommend", user=user)))

        clients = [threading.Thread(target=client, args=(USERS[n::3],)) for n in range(3)]
        for thread in clients:
            thread.start()
        try:
            point_decision_at(config, "other")
            _wait_for(lambda: any(answer["decision"] != digest for _, _, answer in answers[-3:]))
            victim = service.scoring_processes()[0]
            os.kill(victim.pid, signal.SIGKILL)
            _wait_for(lambda: len(service.scoring_processes()) == 2 and victim not in service.scoring_processes())
            link = config.parent / "space" / "decision-new"
            link.symlink_to(own)
            link.replace(config.parent / "space" / "decision")
            _wait_for(lambda: all(answer["decision"] == digest for _, _, answer in answers[-3:]))
        finally:
            over.set()
            for thread in clients:
                thread.join(60)
    assert {status for _, status, _ in answers} == {200}
    assert len({answer["decision"] for _, _, answer in answers}) == 2
    for user, _, answer in answers:
        items = [{name: value for name, value in item.items() if name != "components"} for item in answer["items"]]
        assert items == by_space["space" if answer["decision"] == digest else "other"][user]


def test_a_damaged_decision_and_list_of_forgotten_users_leave_the_current_ones(config: Path, tmp_path: Path) -> None:
    own = (config.parent / "space" / "decision").resolve()
    (tmp_path / "empty").mkdir()
    link = config.parent / "space" / "decision-new"
    with running(config) as service:
        before = service.lists()
        link.symlink_to(tmp_path / "empty")
        link.replace(config.parent / "space" / "decision")
        try:
            time.sleep(0.5)  # several looks
            assert service.lists() == before
            forgotten = config.parent / "space" / "forgotten.json"
            forgotten.write_text("{}")
            time.sleep(0.5)
            forgotten.unlink()
            digest = service.post("/recommend", user="u1")[1]["decision"]
            point_decision_at(config, "other")  # and the service still follows
            _wait_for(lambda: service.post("/recommend", user="u1")[1]["decision"] != digest)
        finally:
            link.symlink_to(own)
            link.replace(config.parent / "space" / "decision")


def test_one_service_per_workspace_and_no_open_address_without_tokens(config: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "interestrec", "serve", "--config", str(config)]
    with running(config) as service:
        second = subprocess.run(command, capture_output=True, text=True)
        assert (second.returncode, "feedback" in second.stderr) == (75, True)
        children = service.scoring_processes()
    assert service.process.returncode == 128 + signal.SIGTERM
    assert not any(child.is_running() for child in children)
    for arguments, status, message in [
        (["--host", "0.0.0.0"], 78, "serve.token_file"),
        (["--workspace", str(tmp_path)], 66, "interestrec rank"),
        (["--set", f"serve.token_file={tmp_path / 'none'}"], 66, "none"),
    ]:
        outcome = subprocess.run([*command, *arguments], capture_output=True, text=True)
        assert (outcome.returncode, message in outcome.stderr) == (status, True), outcome.stderr


def test_connections_send_at_once() -> None:
    """Otherwise each answer but the first of a connection that is kept takes 40 ms longer."""
    with serve._listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_without_its_packages_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ConfigError, match=r"pip install 'interestrec\[serve\]'"):
        serve._require_packages()


def test_an_encrypted_workspace_keeps_no_plain_feedback(config: Path) -> None:
    context = RunContext(load_settings(config, ["runtime.encryption_key=key"]))
    for refused in (lambda: serve.run(context, []), lambda: update.run(context, None, None, feedback=True)):
        with pytest.raises(ConfigError, match=r"runtime\.encryption_key=null"):
            refused()
    assert not update.run(context, None, None).built  # which keeps no feedback


def _wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("it did not come to pass")
