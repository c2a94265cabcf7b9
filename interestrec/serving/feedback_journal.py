"""FeedbackJournal: events and items that clients reported, appended durably before they are acknowledged."""

import asyncio
import json
import os
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

from interestrec.core.errors import ArtifactError, ConfigError, from_os_error
from interestrec.core.progress import log
from interestrec.io import commit

FEEDBACK = "feedback"  # directory of a workspace
EVENT_FILE, ITEM_FILE = "events.jsonl", "items.jsonl"
_FORGOTTEN = b"{}"  # takes the place of a record that is to be forgotten, so that the others keep their numbers


class _Batch:
    """Records that are written together."""

    def __init__(self) -> None:
        self.records: list[Mapping[str, Any]] = []
        self.written: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class FeedbackJournal:
    """Records of one file of JSON lines, each kept once.

    A record is on the disk before `append` returns. Appends that arrive while the disk is busy are written together.
    """

    def __init__(self, path: Path, key: Callable[[Mapping[str, Any]], str]) -> None:
        """Open or create the file in a running event loop; a line that a crash cut off is removed.

        Args:
            key: of a record; a record with the key of an earlier one is the same record.

        Raises:
            StorageError, CannotCreateError: the file cannot be read or written.
            ArtifactError: a line is not a JSON document.
        """
        self.path = path
        self._key = key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            self._size = self._remove_cut_line()
            commit.sync(path.parent)
        except OSError as error:
            raise from_os_error(error, path) from error
        self.records = read_records(path)
        self._keys = {self._digest(record) for record in self.records if record}
        self._collecting = _Batch()
        self._in_flight: dict[bytes, _Batch] = {}  # by the digest of a record that is not on the disk yet
        self._writer: asyncio.Task[None] | None = None

    async def append(self, records: Sequence[Mapping[str, Any]]) -> list[bool]:
        """Keep records; return which of them are new. Those that are not are on the disk as well.

        Raises:
            StorageError: the disk refuses; nothing of these records is kept.
        """
        is_new, batches = [], []
        for record in records:
            digest = self._digest(record)
            is_new.append(digest not in self._keys and digest not in self._in_flight)
            if is_new[-1]:
                self._in_flight[digest] = self._collecting
                self._collecting.records.append(record)
            if digest in self._in_flight:
                batches.append(self._in_flight[digest])
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_batches())
        for batch in dict.fromkeys(batches):
            await asyncio.shield(batch.written)  # a client that leaves must not interrupt what others wait for
        return is_new

    async def _write_batches(self) -> None:
        while self._collecting.records:
            batch, self._collecting = self._collecting, _Batch()
            lines = (json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in batch.records)
            digests = [self._digest(record) for record in batch.records]
            try:
                await asyncio.to_thread(self._write, b"".join(lines))
            except OSError as error:
                batch.written.set_exception(from_os_error(error, self.path))
            else:
                self.records += map(dict, batch.records)
                self._keys.update(digests)
                batch.written.set_result(None)
            for digest in digests:
                del self._in_flight[digest]

    def _write(self, content: bytes) -> None:
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(self._file, view) :]
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(content)

    async def forget(self, forgotten: Callable[[str], bool]) -> int:
        """Take the records of some users out of the file; return their number. See `forget_records`."""
        if self._writer is not None:
            await self._writer
        count = forget_records(self.path, forgotten)  # nothing else runs until the file is open again
        os.close(self._file)
        self._file = os.open(self.path, os.O_RDWR | os.O_APPEND)
        self._size = os.fstat(self._file).st_size
        self.records = read_records(self.path)
        return count

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _digest(self, record: Mapping[str, Any]) -> bytes:
        return blake2b(self._key(record).encode("utf-8", "surrogatepass"), digest_size=16).digest()

    def _remove_cut_line(self) -> int:
        """Return the size of the file after the end of a cut line, which nobody was told is kept, is removed."""
        size = os.fstat(self._file).st_size
        end = size
        while end and os.pread(self._file, 1, end - 1) != b"\n":
            end -= 1
        if end < size:
            log.warning("%s: %d bytes of a line that was not written to its end are removed", self.path, size - end)
            os.ftruncate(self._file, end)
            os.fsync(self._file)
        return end


def refuse_encryption(key: str | None) -> None:
    """Refuse feedback in a workspace that is to be encrypted: the journal and the raw tables of an update cannot be.

    Args:
        key: `runtime.encryption_key`.

    Raises:
        ConfigError: there is a key.
    """
    if key is not None:
        raise ConfigError(
            "runtime.encryption_key is set, and feedback is kept in files without encryption; make a workspace without "
            "the key on an encrypted disk: interestrec run --workspace DIR --set runtime.encryption_key=null"
        )


def read_records(path: Path) -> list[dict[str, Any]]:
    """Return the records of a journal in order; those that were forgotten are empty. A line without an end is not read.

    Raises:
        StorageError: the file cannot be read.
        ArtifactError: a line is not a JSON object.
    """
    try:
        content = path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise from_os_error(error, path) from error
    records = []
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            raise ArtifactError(f"{path}, line {number}: not a JSON object; restore the file from a backup")
        records.append(record)
    return records


def event_key(record: Mapping[str, Any]) -> str:
    """Return the key of an event: its id."""
    return str(record["event_id"])


def item_key(record: Mapping[str, Any]) -> str:
    """Return the key of an item: all that is said of it, since a later description replaces an earlier one."""
    return json.dumps(record, sort_keys=True)


def forget_records(path: Path, forgotten: Callable[[str], bool]) -> int:
    """Replace the records of some users in a journal that nobody has open; return their number.

    Args:
        forgotten: whether a user is to be forgotten, by the id in the journal.
    """
    records = read_records(path)
    marked = [bool(record) and forgotten(str(record["user_id"])) for record in records]
    if any(marked):
        with commit.staged_file(path) as partial:
            lines = (
                _FORGOTTEN if mark else json.dumps(record, ensure_ascii=False).encode()
                for record, mark in zip(records, marked, strict=True)
            )
            partial.write_bytes(b"".join(line + b"\n" for line in lines))
    return sum(marked)
