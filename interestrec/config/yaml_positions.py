"""YAML that people write: read with the place of every key, within limits; written with a comment a line."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from interestrec.core.errors import ConfigError
from interestrec.core.printable import printable

Location = tuple[str | int, ...]
Place = Callable[[int, int], str]  # line and column, both from 1 -> where that is, for a message

MAX_BYTES = 2**20
MAX_ALIASES = 32
MAX_DEPTH = 50  # mappings and lists within each other
MAX_VALUES = 100_000  # once aliases stand for what they repeat: a few can repeat each other without end

_MERGE = "tag:yaml.org,2002:merge"
_TEXT = "tag:yaml.org,2002:str"
_SCIENTIFIC = re.compile(r"^[-+]?(\d+\.\d*|\.\d+|\d+)[eE][-+]?\d+$")


@dataclass(frozen=True)
class YamlDocument:
    """What a YAML text says, and line and column (from 1) of every key and list entry."""

    values: Any
    positions: dict[Location, tuple[int, int]]


class _Refused(yaml.MarkedYAMLError):
    """YAML that is valid but not taken."""

    def __init__(self, problem: str, mark: Any) -> None:
        super().__init__(problem=problem, problem_mark=mark)


class _Loader(yaml.SafeLoader):
    """YAML 1.1 but for floats, `2e-5` being a number as in YAML 1.2, and keys, which are text as they are written.

    Limits hold while nodes are composed, before any value is made of them.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._aliases = 0
        self._depth = 0
        self._sizes: dict[int, int] = {}  # id of a node that is whole -> values in it, repeated ones each time

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            self._aliases += 1
            if self._aliases > MAX_ALIASES:
                raise _Refused(f"more than {MAX_ALIASES} aliases; write the values out", event.start_mark)
            node = super().compose_node(parent, index)
            if id(node) not in self._sizes:
                raise _Refused(f"'*{event.anchor}' stands within what it repeats", event.start_mark)
            return node
        if event.tag is not None:
            raise _Refused(f"the tag '{event.tag}' is not taken; write the plain value", event.start_mark)
        self._depth += isinstance(event, yaml.CollectionStartEvent)
        if self._depth > MAX_DEPTH:
            raise _Refused(f"more than {MAX_DEPTH} lists and mappings within each other", event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= isinstance(event, yaml.CollectionStartEvent)
        if node is not None:
            self._sizes[id(node)] = 1 + sum(self._sizes[id(child)] for child in _children(node))
            if self._sizes[id(node)] > MAX_VALUES:
                raise _Refused(f"more than {MAX_VALUES:,} values, repeated ones counted each time", node.start_mark)
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            raise _Refused(f"'{str(node.value)[:40]}' cannot be read as a number or a date", node.start_mark) from error


class _Dumper(yaml.SafeDumper):
    """Quotes what `_Loader` would take for a number, and writes every text on one line."""

    def represent_str(self, text: str) -> yaml.ScalarNode:
        return self.represent_scalar(_TEXT, text, style=None if text.isprintable() else '"')


_Dumper.add_representer(str, _Dumper.represent_str)
for _class in (_Loader, _Dumper):
    _class.add_implicit_resolver("tag:yaml.org,2002:float", _SCIENTIFIC, list("-+.0123456789"))


def text_of(content: bytes, place: Place) -> str:
    """The text of a configuration file.

    Raises:
        ConfigError: it is larger than `MOST_BYTES`, or not UTF-8.
    """
    if len(content) > MAX_BYTES:
        line = content.count(b"\n", 0, MAX_BYTES) + 1
        raise ConfigError(f"{place(line, 1)}: more than {MAX_BYTES:,} bytes; is this a configuration?")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        where = place(*line_and_column(before, len(before)))
        raise ConfigError(f"{where}: not UTF-8 text ({error.reason} at byte {error.start})") from error


def read_yaml(text: str, place: Place) -> YamlDocument | None:
    """Read one YAML document; None when there is nothing in it.

    Raises:
        ConfigError: it is not valid, not taken (a tag, a key given twice, a key that is no text), or beyond a limit;
            the message begins with its place.
    """
    try:
        return _read(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = place(mark.line + 1, mark.column + 1) if mark else place(1, 1)
        kind = "" if isinstance(error, _Refused) else "not valid YAML: "
        raise ConfigError(f"{where}: {kind}{error.problem or error.context}") from error
    except yaml.reader.ReaderError as error:
        where = place(*line_and_column(text, error.position))
        raise ConfigError(f"{where}: not valid YAML: the character #x{error.character:04x} is not taken") from None


def _read(text: str) -> YamlDocument | None:
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        positions: dict[Location, tuple[int, int]] = {}
        _locate(root, (), positions)
        return YamlDocument(loader.construct_document(root), positions)
    finally:
        loader.dispose()


def line_and_column(text: str, index: int) -> tuple[int, int]:
    """Where a character is, both from 1."""
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)


def dump_yaml(values: Any) -> str:
    """YAML that reads as `values`, a line a value."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=float("inf"))


def annotate(values: Any, comment: Callable[[Location], str]) -> str:
    """YAML that reads as `values`, with what `comment` says of each value on the value's last line."""
    text = dump_yaml(values)
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
    finally:
        loader.dispose()
    if root is None:
        return text
    lines = text.splitlines()
    for where, node in _leaves(root, ()):
        said = printable(comment(where)).replace("\n", " ")
        lines[node.end_mark.line] += f"  # {said}"
    return "\n".join(lines) + "\n"


def _leaves(node: yaml.Node, where: Location) -> Iterator[tuple[Location, yaml.Node]]:
    if isinstance(node, yaml.MappingNode) and node.value:
        for key, value in node.value:
            yield from _leaves(value, (*where, key.value))
    elif isinstance(node, yaml.SequenceNode) and node.value:
        for index, value in enumerate(node.value):
            yield from _leaves(value, (*where, index))
    else:
        yield where, node


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from (key, value)
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _locate(node: yaml.Node, where: Location, positions: dict[Location, tuple[int, int]]) -> None:
    """Note the place of every key and list entry; refuse a key given twice and one that is no text."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        merged: dict[Location, tuple[int, int]] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _Refused("a key must be text, not a list or a mapping", key.start_mark)
            here = (*where, key.value)
            if key.value in seen:
                raise _Refused(f"the key '{dotted(here)}' is given twice; keep one", key.start_mark)
            seen.add(key.value)
            if key.tag == _MERGE:
                for source in [value] if isinstance(value, yaml.MappingNode) else value.value:
                    _locate(source, where, merged)
                continue
            key.tag = _TEXT
            positions[here] = (key.start_mark.line + 1, key.start_mark.column + 1)
            _locate(value, here, positions)
        positions.update({here: place for here, place in merged.items() if here not in positions})
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            positions[(*where, index)] = (value.start_mark.line + 1, value.start_mark.column + 1)
            _locate(value, (*where, index), positions)


def dotted(where: Location) -> str:
    """A location as it is written for `--set`."""
    return ".".join(str(part) for part in where)
