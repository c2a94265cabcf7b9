"""The list of users that a workspace must forget: keyed hashes of ids, applied whenever raw logs are read."""

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from interestrec.core.errors import ArtifactError
from interestrec.io import commit, files
from interestrec.io.locks import hold_lock
from interestrec.workspace.artifacts import LOCKS

FORGOTTEN_FILE = "forgotten.json"


@dataclass(frozen=True)
class ForgottenUsers:
    """Users by HMAC-SHA256 of their raw id under a random salt, which is independent of pseudonym keys."""

    salt: bytes
    users: frozenset[str]

    def __contains__(self, user_id: str) -> bool:
        return self.hashed_id(user_id) in self.users

    def hashed_id(self, user_id: str) -> str:
        """Return the entry of a user in the list."""
        return hmac.digest(self.salt, user_id.encode("utf-8", "surrogatepass"), "sha256").hex()

    @property
    def digest(self) -> str:
        """SHA-256 of the list, an input of recipes."""
        return files.sha256_of_json(sorted(self.users))


def read_forgotten(workspace: Path) -> ForgottenUsers | None:
    """Return the list of a workspace, None where there is none.

    Raises:
        ArtifactError: the file is not such a list.
    """
    path = workspace / FORGOTTEN_FILE
    if not path.exists():
        return None
    content = files.read_json(path)
    try:
        return ForgottenUsers(bytes.fromhex(content["salt"]), frozenset(str(user) for user in content["users"]))
    except (KeyError, TypeError, ValueError):
        raise ArtifactError(f"{path}: not a list of forgotten users; restore it from a backup") from None


def add_forgotten(workspace: Path, user_ids: Iterable[str]) -> tuple[int, int]:
    """Add users to the list of a workspace; return the number of new users and of all users in the list.

    Raises:
        LockedError: another process is changing the list.
    """
    path = workspace / FORGOTTEN_FILE
    with hold_lock(workspace / LOCKS / FORGOTTEN_FILE, str(path)):
        forgotten = read_forgotten(workspace) or ForgottenUsers(secrets.token_bytes(32), frozenset())
        users = forgotten.users | {forgotten.hashed_id(user_id) for user_id in user_ids}
        new = len(users) - len(forgotten.users)
        if new:
            with commit.staged_file(path) as partial:
                files.write_json(partial, {"salt": forgotten.salt.hex(), "users": sorted(users)})
    return new, len(users)
