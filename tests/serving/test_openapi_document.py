"""The OpenAPI document says what requests the service takes and what it answers."""

import errno
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
import pytest

from interestrec.serving.feedback_journal import FeedbackJournal
from interestrec.serving.openapi_document import openapi_document
from interestrec.serving.scoring_pool import ScoringPool
from interestrec.serving.serve_settings import ServeSettings
from interestrec.serving.web_application import WebApplication
from tests.serving.documented import PATHS, check, check_error
from tests.serving.services import Answer, RunningService

TOKEN = "t" * 32
BODIES: dict[str, dict[str, Any]] = {
    "/recommend": {"user": "u1", "history": ["i1"], "explain": True},
    "/events": {"events": [{"event_id": "e", "user": "u1", "item": "i1", "kind": "view"}]},
    "/items": {"items": [{"item": "n", "title": "New"}]},
}
KNOWN = {"Authorization": f"Bearer {TOKEN}"}
JSON = {**KNOWN, "Content_Type": "application/json"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    root = tmp_path_factory.mktemp("feedback")
    (root / "tokens").write_text(f"{TOKEN}\n")
    settings = ServeSettings(max_body_bytes=2000, sender_seconds=0.6, token_file=root / "tokens")
    with RunningService(root, settings) as running:
        yield running


def refused(service: RunningService, path: str, status: int, patch: pytest.MonkeyPatch) -> Answer:
    """Make the service answer with the status of an error."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if status == 503:
        patch.setattr(ScoringPool, "is_ready", False)
        patch.setattr(service.service, "in_hand", service.settings.queue)
    patch.setattr(FeedbackJournal, "_write", full)
    if path not in BODIES:
        return service.ask("GET", path, **({} if status == 401 else KNOWN))
    sent: dict[int, Callable[[], Answer]] = {
        400: lambda: service.ask("POST", path, b"{", **JSON),
        401: lambda: service.post(path, BODIES[path]),
        408: lambda: service.ask("POST", path, b"{", Content_Length="99", **JSON),
        413: lambda: service.ask("POST", path, b" " * 3000, **JSON),
        415: lambda: service.ask("POST", path, b"{}", Content_Type="text/plain", **KNOWN),
        422: lambda: service.post(path, {"other": 1}, **KNOWN),
        500: lambda: service.post(path, {"history": ["die"]}, **KNOWN),
    }
    return sent.get(status, lambda: service.post(path, BODIES[path], **KNOWN))()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (path, int(status))
        for path, methods in PATHS.items()
        for operation in methods.values()
        for status in operation["responses"]
        if status != "200"
    ],
)
def test_every_error_of_the_document_occurs_in_its_shape(
    service: RunningService, path: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = refused(service, path, status, monkeypatch)
    assert answer.status == answer.document["error"]["status"] == status
    check("POST" if path in BODIES else "GET", path, status, answer.document)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/nowhere", None),
        ("POST", "/recommend/", None),
        ("GET", "/recommend", {"POST"}),
        ("DELETE", "/healthz", {"GET", "HEAD"}),
        ("POST", "/page.css", {"GET", "HEAD"}),
    ],
)
def test_unknown_paths_and_methods_are_errors_of_the_same_shape(
    service: RunningService, method: str, path: str, allowed: set[str] | None
) -> None:
    answer = service.ask(method, path)
    assert answer.status == answer.document["error"]["status"] == (404 if allowed is None else 405)
    check_error(answer.document)
    assert answer.headers["x-request-id"] == answer.document["request_id"]
    assert (set(answer.headers["allow"].split(", ")) if "allow" in answer.headers else None) == allowed


def test_answers_are_as_the_document_says(service: RunningService) -> None:
    for path, body in BODIES.items():
        for part in (body, {**body, "explain": False} if "explain" in body else body):
            document = service.post(path, part, **KNOWN).document
            for item in document.get("items", ()):
                assert item.pop("asked")  # the stand-in's own
                assert ("why" in item) == part["explain"]
            check("POST", path, 200, document)
    for path in ("/search/items?text=pan", "/search/users?text=u", "/healthz", "/readyz"):
        check("GET", path.partition("?")[0], 200, service.ask("GET", path, **KNOWN).document)
    figures = service.ask("GET", "/metrics", **KNOWN).headers["content-type"]
    assert figures.startswith(*PATHS["/metrics"]["get"]["responses"]["200"]["content"])


def test_the_document_has_all_paths_and_describes_all_fields(service: RunningService) -> None:
    document = service.ask("GET", "/openapi.json").document
    assert document == openapi_document()
    served = {route.path for route in WebApplication(service.service, None).starlette().routes}
    assert served - set(PATHS) == {
        *("/", "/page.css", "/page.js", "/icon.svg", "/favicon.ico", "/docs", "/openapi.json")
    }
    assert set(PATHS) <= served
    for schema in document["components"]["schemas"].values():
        assert all(field.get("description") for field in schema["properties"].values())
    page = service.ask("GET", "/docs").content.decode()
    assert all(f'id="{name}"' in page for name in document["components"]["schemas"] if not name.endswith("Body"))


def test_requests_are_as_the_document_says() -> None:
    schemas = {"schemas": openapi_document()["components"]["schemas"]}
    for path, body in BODIES.items():
        reference = PATHS[path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        validator = jsonschema.Draft202012Validator({**reference, "components": schemas})
        validator.validate(body)
        assert not validator.is_valid({**body, "another": 1})


def test_another_answer_would_be_found() -> None:
    answer = {"request_id": "r", "new": 1, "known": 0}
    check("POST", "/events", 200, answer)
    for wrong in ({**answer, "more": 1}, {"request_id": "r", "new": 1}, {**answer, "new": "1"}):
        with pytest.raises(jsonschema.ValidationError):
            check("POST", "/events", 200, wrong)
