"""AccessTokens: who may ask, by a file of tokens that is read again when it changes."""

import hmac
from pathlib import Path

from interestrec.core.errors import ConfigError, InterestrecError
from interestrec.core.progress import log
from interestrec.io.files import read_lines

_SHORTEST = 16  # characters


class AccessTokens:
    """The tokens of a file, one per line."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            InputMissingError, AccessError: it cannot be read.
            ConfigError: it has no token, or a short one.
        """
        self.path = path
        self._version = self._state()
        self._tokens = self._read()

    def admit(self, authorization: str | None) -> bool:
        """Return whether a value of the header `Authorization` has one of the tokens.

        A changed file that cannot be read leaves the tokens that were valid before.
        """
        if (state := self._state()) != self._version:
            self._version = state
            try:
                self._tokens = self._read()
            except InterestrecError as error:
                log.error("serve: %s; the tokens of before stay valid", error)
        scheme, _, token = (authorization or "").partition(" ")
        given = token.strip().encode("utf-8", "replace")
        is_known = False
        for known in self._tokens:  # all of them, so that the time does not tell which one is near
            is_known |= hmac.compare_digest(given, known)
        return is_known and scheme.lower() == "bearer"

    def _state(self) -> tuple[int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size

    def _read(self) -> list[bytes]:
        tokens = [line.strip() for line in read_lines(self.path) if line.strip()]
        if not tokens or min(map(len, tokens)) < _SHORTEST:
            raise ConfigError(
                f"serve.token_file {self.path}: needs tokens of at least {_SHORTEST} characters, one per line; "
                "make one with `openssl rand -hex 32`"
            )
        return [token.encode() for token in tokens]
