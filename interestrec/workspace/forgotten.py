"""The users that a workspace is to forget: a list that does not hold their ids, read whenever raw logs are."""

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from interestrec.core.errors import ArtifactError
from interestrec.io import commit, files
from interestrec.io.locks import hold_lock
from interestrec.workspace.artifacts import LOCKS

FORGOTTEN = "forgotten.json"


@dataclass(frozen=True)
class ForgottenUsers:
    """Users by HMAC-SHA256 of their raw id under a random salt, which outlives keys of pseudonyms."""

    salt: bytes
    users: frozenset[str]

    def __contains__(self, user_id: str) -> bool:
        return self.mark(user_id) in self.users

    def mark(self, user_id: str) -> str:
        """What stands for a user in the list."""
        return hmac.digest(self.salt, user_id.encode("utf-8", "surrogatepass"), "sha256").hex()

    @property
    def digest(self) -> str:
        """Of the list, for a recipe."""
        return files.sha256_of_json(sorted(self.users))


def read_forgotten(workspace: Path) -> ForgottenUsers | None:
    """The list of a workspace; None where nobody is to be forgotten.

    Raises:
        ArtifactError: the file is not such a list.
    """
    path = workspace / FORGOTTEN
    if not path.exists():
        return None
    found = files.read_json(path)
    try:
        return ForgottenUsers(bytes.fromhex(found["salt"]), frozenset(str(user) for user in found["users"]))
    except (KeyError, TypeError, ValueError):
        raise ArtifactError(f"{path}: not a list of forgotten users; restore it from a backup") from None


def add_forgotten(workspace: Path, user_ids: Iterable[str]) -> tuple[int, int]:
    """Add users to the list of a workspace; how many are new, and how many it has then.

    Raises:
        LockedError: another process adds to it.
    """
    path = workspace / FORGOTTEN
    with hold_lock(workspace / LOCKS / FORGOTTEN, str(path)):
        found = read_forgotten(workspace) or ForgottenUsers(secrets.token_bytes(32), frozenset())
        users = found.users | {found.mark(user_id) for user_id in user_ids}
        new = len(users) - len(found.users)
        if new:
            with commit.staged_file(path) as partial:
                files.write_json(partial, {"salt": found.salt.hex(), "users": sorted(users)})
    return new, len(users)
