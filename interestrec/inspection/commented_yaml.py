"""YAML with comments: a configuration as a person would write it, and beside each guess why it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from interestrec.core.printable import printable

_WIDTH = 100  # of a line with its comment
_COMMENT_COLUMN = 44
_MAX_FLOW = 88  # of a mapping or list on one line

Path = tuple[str | int, ...]


def write_commented(
    values: Mapping[str, Any], comments: Mapping[Path, str], remarks: Mapping[Path, Sequence[str]]
) -> str:
    """Return YAML that loads to `values`.

    Args:
        comments: by location, a comment behind the value, or above it where the line would be too long.
        remarks: by location, lines of comment above the key.
    """
    return "\n".join(_mapping(values, (), comments, remarks)) + "\n"


def _mapping(
    values: Mapping[str, Any], where: Path, comments: Mapping[Path, str], remarks: Mapping[Path, Sequence[str]]
) -> list[str]:
    lines: list[str] = []
    indent = "  " * len(where)
    for key, value in values.items():
        place = (*where, key)
        if not where and lines and isinstance(value, Mapping | list):
            lines.append("")
        lines += [f"{indent}# {_one_line(remark)}" for remark in remarks.get(place, ())]
        lines += _entry(f"{indent}{_scalar(key)}:", value, place, comments, remarks)
    return lines


def _entry(
    head: str, value: Any, place: Path, comments: Mapping[Path, str], remarks: Mapping[Path, Sequence[str]]
) -> list[str]:
    is_annotated = any(other[: len(place)] == place and other != place for other in (*comments, *remarks))
    flow = f"{head} {_flow(value)}"
    is_block = isinstance(value, Mapping | list) and bool(value)
    if not is_annotated and (not is_block or (len(place) > 1 and len(flow) <= _MAX_FLOW)):
        return _commented(flow, comments.get(place), head)
    if isinstance(value, Mapping):
        return [*_commented(head, comments.get(place), head), *_mapping(value, place, comments, remarks)]
    if isinstance(value, list):
        lines = _commented(head, comments.get(place), head)
        indent = "  " * len(place)
        for position, entry in enumerate(value):
            inner = (*place, position)
            is_deep = any(other[: len(inner)] == inner and other != inner for other in (*comments, *remarks))
            if isinstance(entry, Mapping) and is_deep:
                block = _mapping(entry, inner, comments, remarks)
                first = next(n for n, line in enumerate(block) if not line.lstrip().startswith("#"))
                block[first] = f"{indent}- {block[first].lstrip()}"
                lines += block
            else:
                lines += _commented(f"{indent}- {_flow(entry)}", comments.get(inner), indent)
        return lines
    return _commented(flow, comments.get(place), head)


def _commented(line: str, comment: str | None, head: str) -> list[str]:
    if not comment:
        return [line]
    comment = _one_line(comment)
    together = f"{line.ljust(_COMMENT_COLUMN)} # {comment}"
    if len(together) <= _WIDTH + 20:
        return [together]
    indent = head[: len(head) - len(head.lstrip())]
    return [f"{indent}# {comment}", line]


def _flow(value: Any) -> str:
    """Return a value on one line: as YAML writes it, or with every text in quotes where that would take several."""
    text = _dump(value)
    return text if all(map(str.isprintable, text)) and "? " not in text else _quoted(value)


def _dump(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000, sort_keys=False)
    return text.removesuffix("...\n").strip("\n")


def _quoted(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_quoted(key)}: {_quoted(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_quoted, value)) + "]"
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)
        return "".join(letter if letter.isprintable() else f"\\U{ord(letter):08X}" for letter in text)
    return _dump(value)


def _scalar(key: Any) -> str:
    return _flow(key)


def _one_line(comment: str) -> str:
    return printable(" ".join(comment.split()))
