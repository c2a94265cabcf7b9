"""No network: every attempt to reach another address fails, and is written down."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

_WAYS = [(socket.socket, name) for name in ("connect", "connect_ex", "sendto", "sendmsg")]
_WAYS += [(socket, name) for name in ("getaddrinfo", "gethostbyname", "create_connection")]


@contextmanager
def offline() -> Iterator[list[str]]:
    """The attempts made within the block; a library that swallows the error is found out all the same."""
    attempts: list[str] = []

    def refuse(name: str) -> Any:
        def refused(*arguments: Any, **_: Any) -> None:
            attempts.append(f"{name}{arguments[1:]}")
            raise OSError("there is no network")

        return refused

    patches = [mock.patch.object(where, name, refuse(name)) for where, name in _WAYS]
    try:
        for patch in patches:
            patch.start()
        yield attempts
    finally:
        mock.patch.stopall()
