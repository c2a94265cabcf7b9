"""What a command printed with `--json`, held to the schema that is published."""

import json
from typing import Any

from jsonschema import Draft202012Validator

from interestrec.cli.output_schema import OUTPUT_SCHEMA


def one_document(printed: str) -> dict[str, Any]:
    """The one JSON document, on one line, that is all of standard output."""
    assert printed.endswith("}\n")
    assert printed.count("\n") == 1
    found = json.loads(printed)
    Draft202012Validator(OUTPUT_SCHEMA).validate(found)
    return found
