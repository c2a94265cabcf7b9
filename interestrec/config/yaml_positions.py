"""Read YAML with the position of every key and within limits; write YAML with a comment per line."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from interestrec.core.errors import ConfigError
from interestrec.core.printable import printable

Location = tuple[str | int, ...]
Place = Callable[[int, int], str]  # line and column, both from 1 -> the position as text for a message

MAX_BYTES = 2**20
MAX_ALIASES = 32
MAX_DEPTH = 50  # nested mappings and lists
MAX_VALUES = 100_000  # with aliases expanded, because a few nested aliases can expand to billions of values

_MERGE = "tag:yaml.org,2002:merge"
_TEXT = "tag:yaml.org,2002:str"
_SCIENTIFIC = re.compile(r"^[-+]?(\d+\.\d*|\.\d+|\d+)[eE][-+]?\d+$")


@dataclass(frozen=True)
class YamlDocument:
    """The values of a YAML text, and the line and column (from 1) of every key and list entry."""

    values: Any
    positions: dict[Location, tuple[int, int]]


class _UnsupportedYaml(yaml.MarkedYAMLError):
    """Valid YAML that a configuration must not contain."""

    def __init__(self, problem: str, mark: Any) -> None:
        super().__init__(problem=problem, problem_mark=mark)


class _Loader(yaml.SafeLoader):
    """YAML 1.1, except that `2e-5` is a number as in YAML 1.2 and that keys are always text.

    Limits are checked while nodes are composed, before any value is constructed.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._aliases = 0
        self._depth = 0
        self._sizes: dict[int, int] = {}  # id of a complete node -> its number of values, aliases expanded

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            self._aliases += 1
            if self._aliases > MAX_ALIASES:
                raise _UnsupportedYaml(f"more than {MAX_ALIASES} aliases; write the values out", event.start_mark)
            node = super().compose_node(parent, index)
            if id(node) not in self._sizes:
                raise _UnsupportedYaml(f"'*{event.anchor}' is used inside the value that it repeats", event.start_mark)
            return node
        if event.tag is not None:
            raise _UnsupportedYaml(f"the tag '{event.tag}' is not supported; write the plain value", event.start_mark)
        self._depth += isinstance(event, yaml.CollectionStartEvent)
        if self._depth > MAX_DEPTH:
            raise _UnsupportedYaml(f"more than {MAX_DEPTH} nested lists and mappings", event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= isinstance(event, yaml.CollectionStartEvent)
        if node is not None:
            self._sizes[id(node)] = 1 + sum(self._sizes[id(child)] for child in _children(node))
            if self._sizes[id(node)] > MAX_VALUES:
                raise _UnsupportedYaml(f"more than {MAX_VALUES:,} values, with aliases expanded", node.start_mark)
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            raise _UnsupportedYaml(
                f"'{str(node.value)[:40]}' cannot be read as a number or a date", node.start_mark
            ) from error


class _Dumper(yaml.SafeDumper):
    """Quotes texts that `_Loader` would read as numbers, and writes every text on one line."""

    def represent_str(self, text: str) -> yaml.ScalarNode:
        return self.represent_scalar(_TEXT, text, style=None if text.isprintable() else '"')


_Dumper.add_representer(str, _Dumper.represent_str)
for _class in (_Loader, _Dumper):
    _class.add_implicit_resolver("tag:yaml.org,2002:float", _SCIENTIFIC, list("-+.0123456789"))


def decode_text(content: bytes, place: Place) -> str:
    """Decode the content of a configuration file.

    Raises:
        ConfigError: the content is larger than `MAX_BYTES`, or not UTF-8.
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
    """Read one YAML document; None if it is empty.

    Raises:
        ConfigError: the YAML is invalid, exceeds a limit, or has a tag, a duplicate key or a key that is not text; the
            message begins with the position.
    """
    try:
        return _read(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = place(mark.line + 1, mark.column + 1) if mark else place(1, 1)
        kind = "" if isinstance(error, _UnsupportedYaml) else "not valid YAML: "
        raise ConfigError(f"{where}: {kind}{error.problem or error.context}") from error
    except yaml.reader.ReaderError as error:
        where = place(*line_and_column(text, error.position))
        raise ConfigError(f"{where}: not valid YAML: the character #x{error.character:04x} is not allowed") from None


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
    """Return line and column of a character, both from 1."""
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)


def dump_yaml(values: Any) -> str:
    """Return YAML that reads as `values`, one line per value."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=float("inf"))


def annotate(values: Any, comment: Callable[[Location], str]) -> str:
    """Return YAML that reads as `values`, with the comment on each value at the end of its last line."""
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
        note = printable(comment(where)).replace("\n", " ")
        lines[node.end_mark.line] += f"  # {note}"
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
    """Record the position of every key and list entry; reject duplicate keys and keys that are not text."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        merged: dict[Location, tuple[int, int]] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _UnsupportedYaml("a key must be text, not a list or a mapping", key.start_mark)
            key_location = (*where, key.value)
            if key.value in seen:
                raise _UnsupportedYaml(f"the key '{dotted_key(key_location)}' is given twice; keep one", key.start_mark)
            seen.add(key.value)
            if key.tag == _MERGE:
                for source in [value] if isinstance(value, yaml.MappingNode) else value.value:
                    _locate(source, where, merged)
                continue
            key.tag = _TEXT
            positions[key_location] = (key.start_mark.line + 1, key.start_mark.column + 1)
            _locate(value, key_location, positions)
        positions.update(
            {key_location: place for key_location, place in merged.items() if key_location not in positions}
        )
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            positions[(*where, index)] = (value.start_mark.line + 1, value.start_mark.column + 1)
            _locate(value, (*where, index), positions)


def dotted_key(where: Location) -> str:
    """Return a location as it is written for `--set`."""
    return ".".join(str(part) for part in where)
