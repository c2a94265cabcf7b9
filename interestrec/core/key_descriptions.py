"""Descriptions of configuration keys, read from the string literal under each field of a section.

A field whose choices come from a registry has its description composed, in `Field(description=…)`.
"""

import ast
import inspect
import sys
from functools import cache

from pydantic import BaseModel


def key_descriptions(section: type[BaseModel]) -> dict[str, str]:
    """Return the description of each key, on one line, including the keys of the base classes.

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
    """String literals after annotated names, by class and name; empty if the module has no source text."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError):  # a compiled module without source: the schema has no descriptions
        return {}
    return {node.name: _field_literals(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def _field_literals(node: ast.ClassDef) -> dict[str, str]:
    literals = {}
    for field, following in zip(node.body, node.body[1:], strict=False):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        constant = following.value if isinstance(following, ast.Expr) else None
        if isinstance(constant, ast.Constant) and isinstance(constant.value, str):
            literals[field.target.id] = " ".join(constant.value.split())
    return literals
