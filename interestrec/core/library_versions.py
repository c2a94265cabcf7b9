"""Least versions of libraries whose older ones a file can make run code or read freed memory."""

from importlib import metadata

from interestrec.core.errors import ConfigError

# keras: CVE-2026-1462, CVE-2026-12481 and those before; pyarrow: CVE-2026-25087; transformers: CVE-2026-4372.
SAFE = {"keras": (3, 15, 1), "pyarrow": (24,), "transformers": (5, 3)}


def require_safe(library: str) -> None:
    """Look at a library's version before its first import, without importing it.

    Raises:
        ConfigError: it is older than the least safe one, or not installed.
    """
    least = SAFE[library]
    wanted = f"{library}>={'.'.join(map(str, least))}"
    try:
        found = metadata.version(library)
    except metadata.PackageNotFoundError:
        raise ConfigError(f"{library} is not installed; run `pip install -U '{wanted}'`") from None
    if _release(found) < least:
        raise ConfigError(f"{library} {found} has known security faults; run `pip install -U '{wanted}'`")


def _release(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: (3, 15, 1) of 3.15.1.post2."""
    numbers = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
        if digits != part:  # 0rc1: what follows is no part of the release
            break
    return tuple(numbers)
