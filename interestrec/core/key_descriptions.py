"""Descriptions of configuration keys, read from the string literal under each field of a section.

A field whose choices come from a registry has its description composed, in `Field(description=…)`.
"""

import ast
import inspect
import sys
from functools import cache

from pydantic import BaseModel


def key_descriptions(section: type[BaseModel]) -> dict[str, str]:
    """Descriptions by key, in one line each, those of the base classes included.

    Keys that are made of a registry bring theirs along.

    Only the schema needs them, so the source is parsed on demand: pydantic's `use_attribute_docstrings` parses it class
    by class on import, which doubles the import time of the settings for every command.
    """
    found = {key: field.description for key, field in section.model_fields.items() if field.description}
    own = section.__mro__[: section.__mro__.index(BaseModel)]
    for cls in reversed(own):
        found |= _literals(cls.__module__).get(cls.__name__, {})
    return found


@cache
def _literals(module: str) -> dict[str, dict[str, str]]:
    """The string literals behind annotated names, by class and name; none where the module has no source text."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError):  # compiled without its source: the schema goes without descriptions
        return {}
    return {node.name: _described(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def _described(node: ast.ClassDef) -> dict[str, str]:
    found = {}
    for field, below in zip(node.body, node.body[1:], strict=False):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
            found[field.target.id] = " ".join(below.value.value.split())
    return found
