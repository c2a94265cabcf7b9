"""Versions of what the bits of a result depend on, to be equal on all workers."""

import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from interestrec import __version__
from interestrec.workspace.source_code import package_digest

_PACKAGES = (
    "distributed",
    "duckdb",
    "implicit",
    "numpy",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "tensorflow",
    "tokenizers",
    "transformers",
)


@cache
def release_versions() -> Mapping[str, str]:
    """Return the version of each package in this process by name; `interestrec` has the digest of a source checkout."""
    code = package_digest()
    found = {"interestrec": f"{__version__} ({code})" if code else __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found


def version_differences(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """Return the packages that differ with both versions, as a part of a sentence; empty if all are equal."""
    differing = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    return ", ".join(f"{name} {theirs.get(name, 'none')} instead of {ours.get(name, 'none')}" for name in differing)
