"""Digests of the source files of the package that determine an artifact.

A version that was built before a metric, a scorer or a reader was edited is not up to date after it. In a source
checkout the digest of a recipe therefore covers the stage's module and, transitively, every module of the package that
it imports, also within functions. The imports are found in the source text, without importing any module. An installed
release is not edited, so its version suffices.

Two modules are not followed: `config`, which imports the sections of all stages and whose values are in a recipe,
and the `__init__` of the package, which offers everything to notebooks.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path, PurePosixPath

from interestrec.core.errors import from_os_error

PACKAGE = Path(__file__).parents[1]
_INSTALLED = {"site-packages", "dist-packages"}  # directories above an installed release
_NOT_FOLLOWED = "config"
_TEMPLATE = "*.j2"
_DIGITS = 16  # hexadecimal digits; a digest is compared with only one other
# The patterns have no anchors, for speed: a name in a comment counts as an import, which does no harm.
_FROM = re.compile(r"from interestrec\.([\w.]+) import (\([^)]*\)|[^\n]*)")
_DOTTED = re.compile(r"interestrec\.([\w.]+)")  # in a statement, or in a literal for a deferred import
_COMMENT = re.compile(r"#[^\n]*")


def source_digests(stage: str, package: Path = PACKAGE) -> Mapping[str, str]:
    """Return the shortened SHA-256 of every source file of a stage by its path; empty in an installed release.

    Args:
        stage: name of the stage's module, such as `pretrain_adapt`.

    Raises:
        StorageError, AccessError: a source file cannot be read.
    """
    if _INSTALLED & set(package.parts):
        return {}
    return _digests(f"stages.{stage}", package)


def package_digest(package: Path = PACKAGE) -> str:
    """Return the shortened SHA-256 of all source files; empty in an installed release, which its version identifies."""
    if _INSTALLED & set(package.parts):
        return ""
    paths = sorted(path.relative_to(package).as_posix() for path in package.rglob("*.py"))
    content = [(path, hashlib.sha256(_source(package, path)).hexdigest()) for path in paths]
    return hashlib.sha256(repr(content).encode()).hexdigest()[:_DIGITS]


@cache
def _digests(start: str, package: Path) -> Mapping[str, str]:
    modules = _modules(package)
    paths: set[str] = set()
    pending = [start] if start in modules else []
    while pending:
        path = modules[pending.pop()]
        if path not in paths:
            paths.add(path)
            pending += [name for name in imported_names(_source(package, path).decode()) if name in modules]
    for directory in {PurePosixPath(path).parent for path in paths}:
        paths.update(str(directory / template.name) for template in (package / directory).glob(_TEMPLATE))
    return {path: hashlib.sha256(_source(package, path)).hexdigest()[:_DIGITS] for path in sorted(paths)}


@cache
def _modules(package: Path) -> Mapping[str, str]:
    """Return the paths of all modules that may be followed, by dotted name; the path of a package is its `__init__`."""
    paths: dict[str, str] = {}
    for path in package.rglob("*.py"):
        location = path.relative_to(package)
        parts = location.parts[:-1] if location.name == "__init__.py" else location.with_suffix("").parts
        if parts and parts[0] != _NOT_FOLLOWED:
            paths[".".join(parts)] = location.as_posix()
    return paths


@cache
def _source(package: Path, path: str) -> bytes:
    """Return the content of a file; it is cached, because stages share most of their modules."""
    try:
        return (package / path).read_bytes()
    except OSError as error:
        raise from_os_error(error, package / path) from error


def imported_names(text: str) -> Iterator[str]:
    """Yield the dotted names that a module may import from the package, including classes and functions."""
    for module in _DOTTED.findall(text):
        yield from _with_parents(module)
    for module, names in _FROM.findall(text):
        members = _COMMENT.sub("", names).strip("()").split(",")
        yield from (f"{module}.{name.split()[0]}" for name in members if name.strip())


def _with_parents(module: str) -> Iterator[str]:
    """Yield `a`, `a.b` and `a.b.c` for `a.b.c`: importing a module runs the `__init__` of its packages."""
    parts = module.split(".")
    yield from (".".join(parts[: number + 1]) for number in range(len(parts)))
