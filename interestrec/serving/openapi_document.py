"""The OpenAPI document of the web service, and a page that shows it."""

import re
from collections.abc import Iterable
from html import escape
from typing import Any, NamedTuple

from pydantic.json_schema import models_json_schema

from interestrec import __version__
from interestrec.serving.answer_bodies import (
    AnswerBody,
    ErrorAnswer,
    FoundItems,
    FoundUsers,
    KeptAnswer,
    ListAnswer,
    ReadyAnswer,
    RunningAnswer,
)
from interestrec.serving.request_bodies import Body, FeedbackBody, ItemsBody, RecommendBody

_BODY_ERRORS = {
    "400": "not JSON",
    "401": "no valid token",
    "408": "the body did not arrive in time",
    "413": "too large a body",
    "415": "the content type is not application/json",
    "422": "JSON of another shape, or an unknown kind, filter or time",
}
_NO_ANSWER = {
    "500": "processes ended over this request",
    "503": "too many requests in hand, or no process for now; the header Retry-After says when to ask again",
}
_NOT_KEPT = {"507": "the disk refuses; nothing of the request is kept"}
_SEARCH_ERRORS = {"401": _BODY_ERRORS["401"], "422": "no `text` of 1 to 200 characters"}
_NO_ROUTE = {"404": "no such path", "405": "another method; the header Allow names those of the path"}
_ALL_ERRORS = dict(sorted((_BODY_ERRORS | _NO_ANSWER | _NOT_KEPT | _NO_ROUTE).items()))


class _Operation(NamedTuple):
    method: str
    summary: str
    body: type[Body] | None
    answer: type[AnswerBody] | None  # None: a text
    meaning: str  # of the answer
    errors: dict[str, str]


_PATHS = {
    "/recommend": _Operation(
        "post",
        "A list for a user, or for a history in the request",
        RecommendBody,
        ListAnswer,
        "`items`, best first, of `decision` at the time `as_of`; what is `unknown` of the request",
        _BODY_ERRORS | _NO_ANSWER,
    ),
    "/events": _Operation(
        "post",
        "Keep what users did; it counts in their next lists",
        FeedbackBody,
        KeptAnswer,
        "numbers of `new` and of `known` events; all are on the disk",
        _BODY_ERRORS | _NOT_KEPT,
    ),
    "/items": _Operation(
        "post",
        "Keep descriptions of items; the next update reads them",
        ItemsBody,
        KeptAnswer,
        "numbers of `new` and of `known` items; all are on the disk",
        _BODY_ERRORS | _NOT_KEPT,
    ),
    "/search/items": _Operation(
        "get",
        "Items whose title or id contains `text`",
        None,
        FoundItems,
        "`items` with ids and titles",
        _SEARCH_ERRORS,
    ),
    "/search/users": _Operation(
        "get", "Users whose id begins with `text`", None, FoundUsers, "the `users`", _SEARCH_ERRORS
    ),
    "/healthz": _Operation("get", "Whether the service runs", None, RunningAnswer, "it does", {}),
    "/readyz": _Operation(
        "get",
        "Whether the service can answer now",
        None,
        ReadyAnswer,
        "it can, from `decision`",
        {"503": "no scoring process is ready"},
    ),
    "/metrics": _Operation(
        "get",
        "Figures in the text format of Prometheus",
        None,
        None,
        "figures",
        {"401": _BODY_ERRORS["401"]},
    ),
}


def openapi_document() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    paths = {}
    for path, (method, summary, body, answer, meaning, errors) in _PATHS.items():
        content = {"text/plain": {"schema": {"type": "string"}}} if answer is None else _json_of(answer)
        responses = {"200": {"description": meaning, "content": content}}
        responses |= {status: {"description": why, "content": _json_of(ErrorAnswer)} for status, why in errors.items()}
        operation: dict[str, Any] = {"summary": summary, "responses": responses}
        if body is not None:
            operation["requestBody"] = {"required": True, "content": _json_of(body)}
        elif path.startswith("/search"):
            text = {"name": "text", "in": "query", "required": True, "schema": {"type": "string"}}
            operation["parameters"] = [text]
        paths[path] = {method: operation}
    kinds = {kind for operation in _PATHS.values() for kind in (operation.body, operation.answer) if kind is not None}
    _, described = models_json_schema(
        [(kind, "validation") for kind in (*kinds, ErrorAnswer)], ref_template="#/components/schemas/{model}"
    )
    schemas = described["$defs"]
    return {
        "openapi": "3.1.0",
        "info": {"title": "interestrec", "version": __version__, "summary": "Lists for people, and their feedback"},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{}, {"token": []}],
    }


def _json_of(kind: type[Body] | type[AnswerBody]) -> dict[str, Any]:
    """Return the content of a request or a response that is a document of a kind."""
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{kind.__name__}"}}}


def openapi_page() -> str:
    """Return the document as an HTML page that needs nothing else."""
    document = openapi_document()
    schemas = document["components"]["schemas"]
    parts = []
    for path, (method, summary, body, answer, meaning, _) in _PATHS.items():
        name = "" if answer is None else f", {_link(answer.__name__)}"
        parts.append(f"<h2><code>{method.upper()} {path}</code></h2>")
        parts.append(f"<p>{_text(summary)}. Answer{name}: {_text(meaning)}.</p>")
        if body is not None:
            parts.append(_fields(schemas[body.__name__]))
    rows = ((status, "", _text(reason)) for status, reason in _ALL_ERRORS.items())
    parts.append(f"<h2>Statuses of errors</h2><p>Answer: {_link(ErrorAnswer.__name__)}.</p>{_table(rows)}")
    bodies = {operation.body.__name__ for operation in _PATHS.values() if operation.body}
    parts += [f'<h2 id="{name}">{name}</h2>{_fields(schemas[name])}' for name in sorted(schemas) if name not in bodies]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>interestrec: requests</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="/icon.svg"><link rel="stylesheet" href="/page.css">'
        '<header><p class="name">interestrec</p><nav aria-label="Further pages"><a href="/">Lists</a></nav></header>'
        '<main><h1>Requests</h1><p>The same for programs: <a href="/openapi.json">OpenAPI 3.1</a>.</p>'
        f"{''.join(parts)}</main></html>"
    )


def _text(plain: str) -> str:
    """Return a text as HTML, with what is between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(plain))


def _link(name: str) -> str:
    """Return the name of a schema as a link to its fields."""
    return f'<a href="#{name}">{name}</a>'


def _fields(schema: dict[str, Any]) -> str:
    required = schema.get("required", ())
    return _table(
        (f"<code>{field}</code>", _type(about) + " (required)" * (field in required), _text(about["description"]))
        for field, about in schema["properties"].items()
    )


def _table(rows: Iterable[tuple[str, str, str]]) -> str:
    lines = (f'<tr><th scope="row">{name}<td>{kind}<td>{about}' for name, kind, about in rows)
    return f"<table>{''.join(lines)}</table>"


def _type(about: dict[str, Any]) -> str:
    """Return the type of a field as HTML."""
    if "anyOf" in about:
        return " or ".join(_type(part) for part in about["anyOf"] if part.get("type") != "null")
    if "$ref" in about:
        return _link(about["$ref"].rpartition("/")[2])
    if about.get("type") == "array":
        return f"list of {_type(about['items'])}"
    return str(about.get("format", about.get("type", "any")))
