"""A journal keeps each record once, on the disk before it says so, and refuses what the disk refuses."""

import asyncio
import errno
import json
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from interestrec.core.errors import ArtifactError, StorageError
from interestrec.serving.feedback_journal import FeedbackJournal, event_key, forget_records, item_key, read_records


def event(name: str, user: str = "u") -> dict[str, Any]:
    return {"event_id": name, "user_id": user, "item_id": "i"}


def with_journal(path: Path, use: Callable[[FeedbackJournal], Coroutine[Any, Any, Any]]) -> Any:
    async def run() -> Any:
        journal = FeedbackJournal(path, event_key)
        try:
            return await use(journal)
        finally:
            journal.close()

    return asyncio.run(run())


def test_records_are_kept_once_and_outlive_the_process(tmp_path: Path) -> None:
    path = tmp_path / "new" / "events.jsonl"

    async def deliver(journal: FeedbackJournal) -> list[list[bool]]:
        return [await journal.append([event("a"), event("b"), event("a")]), await journal.append([event("b")])]

    assert with_journal(path, deliver) == [[True, True, False], [False]]
    assert with_journal(path, lambda journal: journal.append([event("b"), event("c")])) == [False, True]
    assert [record["event_id"] for record in read_records(path)] == ["a", "b", "c"]
    assert path.stat().st_mode & 0o077 == 0  # events are personal


def test_many_clients_share_few_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (synced.append(1), real(file))[1])

    async def deliver(journal: FeedbackJournal) -> list[list[bool]]:
        synced.clear()
        return await asyncio.gather(*(journal.append([event(str(number % 150))]) for number in range(300)))

    told = with_journal(tmp_path / "events.jsonl", deliver)
    assert sum(new for [new] in told) == 150
    assert sorted(int(record["event_id"]) for record in read_records(tmp_path / "events.jsonl")) == list(range(150))
    assert 1 <= len(synced) < 20


def test_nothing_is_kept_of_what_the_disk_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, write = tmp_path / "events.jsonl", os.write

    def half(file: int, content: bytes) -> int:
        write(file, bytes(content)[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    async def deliver(journal: FeedbackJournal) -> list[bool]:
        await journal.append([event("a")])
        with monkeypatch.context() as full:
            full.setattr(os, "write", half)
            outcomes = await asyncio.gather(
                journal.append([event("b")]), journal.append([event("b"), event("c")]), return_exceptions=True
            )
            assert [type(outcome) for outcome in outcomes] == [StorageError, StorageError]
        return await journal.append([event("b")])  # it was not kept, so the client sends it again

    assert with_journal(path, deliver) == [True]
    assert [record["event_id"] for record in read_records(path)] == ["a", "b"]


def test_a_client_that_leaves_does_not_interrupt_the_write(tmp_path: Path) -> None:
    async def deliver(journal: FeedbackJournal) -> list[bool]:
        leaving = asyncio.create_task(journal.append([event("a")]))
        await asyncio.sleep(0)
        leaving.cancel()
        return await journal.append([event("a"), event("b")])

    with_journal(tmp_path / "events.jsonl", deliver)
    assert {record["event_id"] for record in read_records(tmp_path / "events.jsonl")} == {"a", "b"}


def test_a_line_that_a_crash_cut_off_is_removed_and_the_next_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(json.dumps(event("a")).encode() + b'\n{"event_id": "b", "us')
    assert with_journal(path, lambda journal: journal.append([event("b")])) == [True]
    assert [record["event_id"] for record in read_records(path)] == ["a", "b"]


@pytest.mark.parametrize("line", ["[1]", "{", "nonsense"])
def test_a_damaged_line_is_an_error_with_its_number(tmp_path: Path, line: str) -> None:
    (tmp_path / "events.jsonl").write_text(f"{json.dumps(event('a'))}\n{line}\n")
    with pytest.raises(ArtifactError, match=r"events\.jsonl, line 2: not a JSON object"):
        read_records(tmp_path / "events.jsonl")


def test_forgotten_users_leave_and_the_others_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"

    async def deliver(journal: FeedbackJournal) -> list[bool]:
        await journal.append([event("a", "ann"), event("b", "bob"), event("c", "ann")])
        assert await journal.forget(lambda user: user == "ann") == 2
        return await journal.append([event("d", "bob")])

    assert with_journal(path, deliver) == [True]
    assert "ann" not in path.read_text()
    assert [record.get("event_id") for record in read_records(path)] == [None, "b", None, "d"]
    assert forget_records(path, lambda user: user == "ann") == 0
    assert forget_records(tmp_path / "none.jsonl", lambda user: True) == 0


def test_another_description_of_an_item_is_another_record() -> None:
    assert item_key({"item_id": "i", "title": "a"}) == item_key({"title": "a", "item_id": "i"})
    assert item_key({"item_id": "i", "title": "a"}) != item_key({"item_id": "i", "title": "b"})
