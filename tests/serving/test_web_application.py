"""What clients send, and what they get for it; the service outlives all of it."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from interestrec.serving.feedback_journal import read_records
from interestrec.serving.serve_settings import ServeSettings
from tests.serving.services import RunningService, outline

LIMITS = ServeSettings(max_body_bytes=20_000, max_history=50, max_list=100, sender_seconds=0.6, queue=8)
JSON = {"Content_Type": "application/json"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with RunningService(tmp_path_factory.mktemp("feedback"), LIMITS) as running:
        yield running


def asked(service: RunningService, **body: Any) -> dict[str, Any]:
    """What the scoring process was asked."""
    answer = service.post("/recommend", body)
    assert answer.status == 200, answer.content
    return answer.document["items"][0]["asked"]


def event(name: str, **changes: Any) -> dict[str, Any]:
    return {"event_id": name, "user": "u1", "item": "i1", "kind": "view", **changes}


def test_a_list_has_scores_components_and_where_it_comes_from(service: RunningService) -> None:
    answer = service.post("/recommend", {"user": "u2", "k": 3})
    (item,) = answer.document["items"]
    assert answer.document["decision"] == "one"
    assert answer.document["as_of"] == "2001-09-09T01:46:40.000001Z"
    assert answer.document["request_id"] == answer.headers["x-request-id"]
    assert answer.document["unknown"] == {"user": False, "items": []}
    assert (item["rank"], item["score"], item["intensity"], item["components"]) == (1, 1.0, 0.5, {"a": 1.0})


def test_requests_reach_the_scoring_process_as_they_were_meant(service: RunningService) -> None:
    history = ["i1", {"item": "i2", "kind": "view", "value": 2.5, "time": "2026-01-02T03:04:05"}]
    body = asked(
        service,
        user="u2",
        history=history,
        k=7,
        candidates=["i1", "i3"],
        exclude=["i2"],
        exclude_kinds=["view"],
        filter=["price<3"],
        explain=True,
        context={"time": "2026-02-03T00:00:00Z"},
    )
    body.pop("id")
    assert body == {
        "user": "u2",
        "history": ["i1", "i2:view=2.5@2026-01-02T03:04:05"],
        "new_events": [],
        "k": 7,
        "candidates": ["i1", "i3"],
        "exclude": ["i2"],
        "exclude_kinds": ["view"],
        "filter": ["price<3"],
        "why": True,
        "time": "2026-02-03T00:00:00+00:00",
        "components": True,
        "unknown": "report",
    }
    assert asked(service)["history"] == []  # nobody in particular


def test_feedback_counts_in_the_next_list_once_and_is_on_the_disk(service: RunningService) -> None:
    first = service.post("/events", {"events": [event("f1", user="w"), event("f2", user="w", item="i2", value=3)]})
    assert (first.status, first.document["new"], first.document["known"]) == (200, 2, 0)
    again = service.post("/events", {"events": [event("f2", user="w", item="i2", value=3), event("f3", user="w")]})
    assert (again.document["new"], again.document["known"]) == (1, 1)
    assert asked(service, user="w")["new_events"] == ["i1:view", "i2:view=3.0", "i1:view"]
    assert asked(service, user="other")["new_events"] == []
    assert asked(service, user="w", history=["i3"])["new_events"] == []  # a given history replaces what is known
    kept = [record for record in read_records(service.directory / "events.jsonl") if record["user_id"] == "w"]
    assert [record["event_id"] for record in kept] == ["f1", "f2", "f3"]
    items = service.post("/items", {"items": [{"item": "n", "title": "New", "attributes": {"brand": "B"}}]})
    assert items.document["new"] == 1
    assert read_records(service.directory / "items.jsonl")[-1] == {
        "brand": "B",
        "title": "New",
        "text": "",
        "item_id": "n",
    }


def test_a_decision_brings_the_events_that_it_knows(service: RunningService) -> None:
    service.post("/events", {"events": [event("g1", user="x"), event("g2", user="x", item="i2")]})
    known = len(read_records(service.directory / "events.jsonl")) - 1
    try:
        assert service.use(outline("two", feedback=known))
        body = service.post("/recommend", {"user": "x"}).document
        assert body["decision"] == "two"
        assert body["items"][0]["asked"]["new_events"] == ["i2:view"]
        service.post("/events", {"events": [event("g3", user="x", item="i3")]})
        assert asked(service, user="x")["new_events"] == ["i2:view", "i3:view"]
    finally:
        assert service.use(outline())


DEEP = b"[" * 9000 + b"]" * 9000
# Every kind of request with the status that it must get. `{"user": "u1"}` alone would be answered.
HOSTILE: dict[str, tuple[str, str, bytes | None, dict[str, str], int]] = {
    f"{path} {name}": ("POST", path, body, headers, status)
    for path in ("/recommend", "/events", "/items")
    for name, body, headers, status in [
        ("without a body", None, JSON, 400),
        ("with an empty body", b"", JSON, 400),
        ("with words", b"not json", JSON, 400),
        ("with half a document", b'{"user": "u', JSON, 400),
        ("with two documents", b"{} {}", JSON, 400),
        ("with bytes that are no text", b"\xff\xfe\x00", JSON, 400),
        ("with a byte order mark of UTF-16", '{"user": "u1"}'.encode("utf-16"), JSON, 400),
        ("with a lone surrogate", b'{"user": "\\ud800"}', JSON, 400),
        ("with a control character", b'{"user": "a\nb"}', JSON, 400),
        ("with deep JSON", DEEP, JSON, 400),
        ("with deep JSON in a field", b'{"user": ' + DEEP + b"}", JSON, 400),
        ("with NaN", b'{"user": NaN}', JSON, 422),
        ("with a list", b"[]", JSON, 422),
        ("with a number", b"3", JSON, 422),
        ("with null", b"null", JSON, 422),
        ("with an unknown field", b'{"users": "u1"}', JSON, 422),
        ("with a method in the body", b'{"__class__": "x"}', JSON, 422),
        ("with too large a body", b'{"user": "' + b"u" * 30_000 + b'"}', JSON, 413),
        ("with a form", b"user=u1", {"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ("with plain text", b'{"user": "u1"}', {"Content_Type": "text/plain"}, 415),
        ("without a content type", b'{"user": "u1"}', {}, 415),
    ]
}
HOSTILE |= {
    f"/recommend {name}": ("POST", "/recommend", json.dumps(body).encode(), JSON, 422)
    for name, body in {
        "a user of no letters": {"user": ""},
        "a long user": {"user": "u" * 600},
        "a number as user": {"user": 3},
        "a list as user": {"user": ["u1"]},
        "k of 0": {"user": "u1", "k": 0},
        "negative k": {"user": "u1", "k": -1},
        "k above the limit": {"user": "u1", "k": 101},
        "huge k": {"user": "u1", "k": 10**30},
        "half an item": {"user": "u1", "k": 1.5},
        "k as words": {"user": "u1", "k": "ten"},
        "k as truth": {"user": "u1", "k": [True]},
        "a huge history": {"history": ["i1"] * 51},
        "a history of numbers": {"history": [1, 2]},
        "a text as history": {"history": "i1,i2"},
        "an event without an item": {"history": [{"kind": "view"}]},
        "an event with more": {"history": [{"item": "i1", "colour": "red"}]},
        "an event of no time": {"history": [{"item": "i1", "time": "yesterday"}]},
        "an infinite value": {"history": [{"item": "i1", "value": "Infinity"}]},
        "many candidates": {"user": "u1", "candidates": ["i1"] * 51},
        "many exclusions": {"user": "u1", "exclude": ["i1"] * 51},
        "a text as candidates": {"user": "u1", "candidates": "i1"},
        "many filters": {"user": "u1", "filter": ["a=b"] * 33},
        "a long filter": {"user": "u1", "filter": ["a=" + "b" * 600]},
        "a text as filter": {"user": "u1", "filter": "a=b"},
        "another context": {"user": "u1", "context": {"device": "phone"}},
        "a time of no calendar": {"user": "u1", "context": {"time": "2026-13-45"}},
        "explain as words": {"user": "u1", "explain": "please"},
        "what only the process may say": {"user": "u1", "new_events": ["i1"]},
        "what the process refuses": {"user": "unheard"},
    }.items()
}
HOSTILE |= {
    f"/events {name}": ("POST", "/events", json.dumps(body).encode(), JSON, 422)
    for name, body in {
        "no events": {"events": []},
        "a text": {"events": "e"},
        "an object": {"events": event("x")},
        "no id": {"events": [{"user": "u", "item": "i1", "kind": "view"}]},
        "no user": {"events": [{"event_id": "x", "item": "i1", "kind": "view"}]},
        "no item": {"events": [{"event_id": "x", "user": "u", "kind": "view"}]},
        "no kind where there are two": {"events": [{"event_id": "x", "user": "u", "item": "i1"}]},
        "an unknown kind": {"events": [event("x", kind="stare")]},
        "an unknown kind among others": {"events": [event("x1"), event("x2", kind="stare")]},
        "no number": {"events": [event("x", value="much")]},
        "no time": {"events": [event("x", time="now")]},
        "a long id": {"events": [event("x" * 600)]},
        "another field": {"events": [event("x", weight=3)]},
    }.items()
}
HOSTILE |= {
    f"/items {name}": ("POST", "/items", json.dumps(body).encode(), JSON, 422)
    for name, body in {
        "no items": {"items": []},
        "no id": {"items": [{"title": "a"}]},
        "a negative price": {"items": [{"item": "n", "price": -1}]},
        "an object as attribute": {"items": [{"item": "n", "attributes": {"a": {"b": 1}}}]},
        "a list as title": {"items": [{"item": "n", "title": ["a"]}]},
    }.items()
}
HOSTILE |= {
    f"{method} {path[:40]}": (method, path, None, {}, status)
    for method, path, status in [
        ("GET", "/recommend", 405),
        ("DELETE", "/events", 405),
        ("PUT", "/items", 405),
        ("POST", "/healthz", 405),
        ("TRACE", "/", 405),
        ("GET", "/nowhere", 404),
        ("GET", "/../../etc/passwd", 404),
        ("GET", "/..%2f..%2fetc%2fpasswd", 404),
        ("GET", "/page/index.html", 404),
        ("GET", "/page.js/../../pyproject.toml", 404),
        ("GET", "//etc/passwd", 404),
        ("GET", "/%00", 404),
        ("GET", "/recommend/", 404),
        ("GET", "/" + "a" * 3000, 404),
        ("GET", "/search/items", 422),
        ("GET", "/search/items?text=", 422),
        ("GET", "/search/items?text=" + "a" * 201, 422),
        ("GET", "/search/users", 422),
    ]
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_requests_get_their_status_and_cost_nothing(service: RunningService, name: str) -> None:
    method, path, body, headers, status = HOSTILE[name]
    before = [read_records(service.directory / f"{kind}.jsonl") for kind in ("events", "items")]
    answer = service.ask(method, path, body, **headers)
    assert answer.status == status, answer.content
    if status in (400, 413, 415, 422):
        assert answer.document["error"]["reason"]
    assert [read_records(service.directory / f"{kind}.jsonl") for kind in ("events", "items")] == before
    assert service.post("/recommend", {"user": "u1"}).status == 200


def test_there_are_a_hundred_kinds_of_them() -> None:
    assert len(HOSTILE) >= 100


def raw(service: RunningService, content: bytes, wait: float = 0.0) -> bytes:
    """Send bytes, and after a while nothing; what comes back until the connection ends."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as client:
        received = b""
        with suppress(ConnectionResetError, BrokenPipeError):  # closed before all was read
            client.sendall(content)
        time.sleep(wait)
        with suppress(ConnectionResetError):
            while part := client.recv(65536):
                received += part
        return received


def test_slow_senders_are_left(service: RunningService) -> None:
    assert raw(service, b"") == b""  # says nothing
    assert raw(service, b"POST /recommend HTTP/1.1\r\nHost: loc") == b""  # half a head
    head = (
        b"POST /recommend HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
    )
    answer = raw(service, head + b'{"user":')
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"serve.sender_seconds" in answer
    again = raw(service, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /heal")  # half a second head
    assert again.count(b"HTTP/1.1 200") == 1


@pytest.mark.parametrize(
    "content",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST /recommend HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /items HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 3_000_000 + b"\r\n\r\n",
    ],
    ids=["TLS", "version", "no version", "two hosts", "negative length", "two lengths", "long header"],
)
def test_what_is_no_request_is_refused(service: RunningService, content: bytes) -> None:
    received = raw(service, content)
    assert received.startswith((b"HTTP/1.1 400", b"HTTP/1.1 415", b"HTTP/1.1 422")) or received == b""
    assert service.ask("GET", "/healthz").status == 200


def test_a_page_of_the_web_cannot_reach_a_loopback_service_by_a_name_of_its_own(service: RunningService) -> None:
    assert service.ask("GET", "/healthz", Host="evil.example").status == 400
    assert service.ask("GET", "/healthz", Host=f"localhost:{service.port}").status == 200


def test_too_many_requests_are_told_to_come_back(service: RunningService) -> None:
    sockets = []
    body = json.dumps({"user": "u1", "history": ["slow"] * 3}).encode()
    head = b"POST /recommend HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
    for _ in range(20):
        client = socket.create_connection(("127.0.0.1", service.port), timeout=30)
        client.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        sockets.append(client)
    answers = []
    for client in sockets:
        received = b""
        while part := client.recv(65536):
            received += part
        answers.append(received)
        client.close()
    statuses = [answer.split(b" ", 2)[1] for answer in answers]
    assert statuses.count(b"200") == LIMITS.queue
    assert statuses.count(b"503") == 20 - LIMITS.queue
    assert all(b"retry-after: 1" in answer.lower() for answer in answers if b" 503 " in answer[:20])


def test_tokens_are_asked_for_and_read_again(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.txt"
    tokens.write_text("first-token-of-many-letters\n")
    with RunningService(tmp_path, ServeSettings(token_file=tokens)) as service:
        assert service.ask("GET", "/healthz").status == 200
        refused = service.post("/recommend", {"user": "u1"})
        assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
        for header in ("", "Bearer", "Bearer first", "Basic first-token-of-many-letters"):
            assert service.post("/recommend", {"user": "u1"}, Authorization=header).status == 401
        known = {"Authorization": "Bearer first-token-of-many-letters"}
        assert service.post("/recommend", {"user": "u1"}, **known).status == 200
        assert service.ask("GET", "/search/users?text=u").status == 401
        tokens.write_text("another-token-of-many-letters\n\n")
        assert service.post("/recommend", {"user": "u1"}, **known).status == 401
        known = {"Authorization": "Bearer another-token-of-many-letters"}
        for content in ("short\n", None):  # a file that cannot be used
            tokens.write_text(content) if content else tokens.unlink()
            assert service.post("/recommend", {"user": "u1"}, **known).status == 200


def test_searches_find_titles_and_users(service: RunningService) -> None:
    found = service.ask("GET", "/search/items?text=PAN").document["items"]
    assert [item["item_id"] for item in found] == ["i2", "i1"]  # titles that begin with it come first
    assert service.ask("GET", "/search/items?text=i3").document["items"] == [{"item_id": "i3", "title": "Mug"}]
    assert service.ask("GET", "/search/items?text=%25").document["items"] == []  # no pattern
    assert service.ask("GET", "/search/users?text=u").document["users"] == ["u1", "u2"]


def test_figures_count_requests(service: RunningService) -> None:
    def answered() -> float:
        lines = service.ask("GET", "/metrics").content.decode().splitlines()
        name = 'interestrec_requests_total{path="/recommend",status="200"}'
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    before = answered()
    service.post("/recommend", {"user": "u1"})
    assert answered() == before + 1
    assert 'interestrec_decision{digest="one"} 1.0' in service.ask("GET", "/metrics").content.decode()


def test_no_user_id_is_in_the_log(service: RunningService, caplog: pytest.LogCaptureFixture) -> None:
    service.post("/recommend", {"user": "secret-name"})
    service.post("/recommend", {"user": "secret-name", "history": ["die"]})
    service.post("/events", {"events": [event("s1", user="secret-name")]})
    assert "a scoring process ended" in caplog.text
    assert "secret-name" not in caplog.text
