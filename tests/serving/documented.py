"""Answers against the OpenAPI document."""

from typing import Any

import jsonschema

from interestrec.serving.openapi_document import openapi_document

PATHS: dict[str, Any] = openapi_document()["paths"]
_SCHEMAS = openapi_document()["components"]["schemas"]
# Clients must live with further fields, but the service sends none that the document does not describe.
_CLOSED = {name: {**schema, "additionalProperties": False} for name, schema in _SCHEMAS.items()}


def check(method: str, path: str, status: int, document: Any) -> None:
    """Check that a JSON answer is what the document says of its path and status."""
    content = PATHS[path][method.lower()]["responses"][str(status)]["content"]
    _validate(content["application/json"]["schema"], document)


def check_error(document: Any) -> None:
    """Check that an answer is an error."""
    _validate({"$ref": "#/components/schemas/ErrorAnswer"}, document)


def _validate(schema: dict[str, Any], document: Any) -> None:
    jsonschema.Draft202012Validator({**schema, "components": {"schemas": _CLOSED}}).validate(document)
