"""Which source files of the package make an artifact, and a digest of each.

A version that was built before a metric, a scorer or a reader was edited is not up to date after it. In a source
checkout the digest of a recipe therefore covers the stage's module and, transitively, every module of the package that
it imports, also within functions. Nothing is imported to find that out. An installed release is not edited: its version
says the same.

Two things are not followed: `config`, which imports the sections of all stages and whose values stand in a recipe as
they are, and the package's own `__init__`, which offers everything to notebooks.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path, PurePosixPath

from interestrec.core.errors import from_os_error

PACKAGE = Path(__file__).parents[1]
_INSTALLED = {"site-packages", "dist-packages"}  # above the modules of an installed release
_NOT_FOLLOWED = "config"
_TEMPLATE = "*.j2"
_DIGITS = 16  # hexadecimal, of a digest that is compared with only one other
# Without anchors, for speed: a name in a comment counts as an import, which does no harm.
_FROM = re.compile(r"from interestrec\.([\w.]+) import (\([^)]*\)|[^\n]*)")
_DOTTED = re.compile(r"interestrec\.([\w.]+)")  # in a statement, or in a literal for a late import
_COMMENT = re.compile(r"#[^\n]*")


def source_digests(stage: str, package: Path = PACKAGE) -> Mapping[str, str]:
    """Shortened SHA-256 of every source file behind a stage, by its path in the package; none in an installed release.

    Args:
        stage: the name of its module, such as `pretrain_adapt`.

    Raises:
        StorageError, AccessError: a source file cannot be read.
    """
    if _INSTALLED & set(package.parts):
        return {}
    return _digests(f"stages.{stage}", package)


@cache
def _digests(start: str, package: Path) -> Mapping[str, str]:
    modules = _modules(package)
    paths: set[str] = set()
    waiting = [start] if start in modules else []
    while waiting:
        path = modules[waiting.pop()]
        if path not in paths:
            paths.add(path)
            waiting += [name for name in imported(_source(package, path).decode()) if name in modules]
    for room in {PurePosixPath(path).parent for path in paths}:
        paths.update(str(room / template.name) for template in (package / room).glob(_TEMPLATE))
    return {path: hashlib.sha256(_source(package, path)).hexdigest()[:_DIGITS] for path in sorted(paths)}


@cache
def _modules(package: Path) -> Mapping[str, str]:
    """Path of every module that may be followed, by its dotted name in the package; a room's is its `__init__`."""
    found: dict[str, str] = {}
    for path in package.rglob("*.py"):
        place = path.relative_to(package)
        parts = place.parts[:-1] if place.name == "__init__.py" else place.with_suffix("").parts
        if parts and parts[0] != _NOT_FOLLOWED:
            found[".".join(parts)] = place.as_posix()
    return found


@cache
def _source(package: Path, path: str) -> bytes:
    """Read once per process: stages share most of their modules."""
    try:
        return (package / path).read_bytes()
    except OSError as error:
        raise from_os_error(error, package / path) from error


def imported(text: str) -> Iterator[str]:
    """Dotted names in the package that a module may import; those of classes and functions are among them."""
    for module in _DOTTED.findall(text):
        yield from _with_rooms(module)
    for module, names in _FROM.findall(text):
        listed = _COMMENT.sub("", names).strip("()").split(",")
        yield from (f"{module}.{name.split()[0]}" for name in listed if name.strip())


def _with_rooms(module: str) -> Iterator[str]:
    """`a`, `a.b` and `a.b.c` for `a.b.c`: importing a module runs the `__init__` of what it is in."""
    parts = module.split(".")
    yield from (".".join(parts[: number + 1]) for number in range(len(parts)))
