"""A pool answers whatever happens to its processes."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from interestrec.serving.scoring_pool import NotReadyError, RequestFailedError, ScoringPool

PROBE = {"history": [], "k": 1}
STAND_IN = Path(__file__).with_name("scoring_stand_in.py")


def command(name: str, *words: str) -> list[str]:
    return [sys.executable, str(STAND_IN), name, *words]


def with_pool(use: Callable[[ScoringPool], Awaitable[Any]], size: int = 2, seconds: float = 30.0) -> Any:
    async def run() -> Any:
        pool = ScoringPool(size, seconds)
        try:
            await pool.exchange("one", command("one"), PROBE)
            return await asyncio.wait_for(use(pool), 60)
        finally:
            await pool.close()

    return asyncio.run(run())


async def ask(pool: ScoringPool, *events: str) -> tuple[str, str, list[str]]:
    """Digest, name of the process's decision, and the history that it was asked with."""
    digest, answer = await pool.ask(lambda known: {"history": [*events, f"for-{known}"]})
    return digest, answer["items"][0]["item_id"], answer["items"][0]["asked"]["history"]


def processes(pool: ScoringPool) -> list[Any]:
    assert pool._current is not None
    return pool._current.ready


def test_answers_belong_to_their_requests() -> None:
    async def use(pool: ScoringPool) -> list[tuple[str, str, list[str]]]:
        return await asyncio.gather(*(ask(pool, f"e{number}") for number in range(200)))

    assert with_pool(use) == [("one", "one", [f"e{number}", "for-one"]) for number in range(200)]


def test_requests_of_a_killed_process_are_asked_again() -> None:
    async def use(pool: ScoringPool) -> tuple[list[tuple[str, str, list[str]]], int]:
        asked = [asyncio.create_task(ask(pool, "slow", f"e{number}")) for number in range(12)]
        await asyncio.sleep(0.1)
        for process in processes(pool):  # both at once: requests wait for a replacement
            os.kill(process._process.pid, signal.SIGKILL)
        answers = await asyncio.gather(*asked)
        return answers, pool.restarts

    answers, restarts = with_pool(use)
    assert [history for _, _, history in answers] == [["slow", f"e{n}", "for-one"] for n in range(12)]
    assert restarts == 2


@pytest.mark.parametrize("event", ["die", "noise"])
def test_a_request_that_ends_processes_fails_alone(event: str) -> None:
    async def use(pool: ScoringPool) -> tuple[Any, list[tuple[str, str, list[str]]]]:
        bad = asyncio.create_task(ask(pool, event))
        others = [asyncio.create_task(ask(pool, f"e{number}")) for number in range(20)]
        return (await asyncio.gather(bad, return_exceptions=True))[0], await asyncio.gather(*others)

    failure, answers = with_pool(use, size=1)
    assert isinstance(failure, RequestFailedError)
    assert len(answers) == 20


def test_a_process_that_does_not_answer_is_replaced() -> None:
    async def use(pool: ScoringPool) -> Any:
        with pytest.raises(RequestFailedError):
            await ask(pool, "hang")
        return await ask(pool, "a")

    assert with_pool(use, size=1, seconds=0.4)[2] == ["a", "for-one"]


def test_an_exchange_fails_no_request_and_later_answers_are_of_the_new_decision() -> None:
    async def use(pool: ScoringPool) -> tuple[list[tuple[str, str, list[str]]], tuple[str, str, list[str]]]:
        asked: list[asyncio.Task[tuple[str, str, list[str]]]] = []

        async def clients() -> None:
            while True:
                asked.append(asyncio.create_task(ask(pool, f"e{len(asked)}")))
                await asyncio.sleep(0.002)

        running = asyncio.create_task(clients())
        for name in ("two", "three", "four"):
            await pool.exchange(name, command(name), PROBE)
        running.cancel()
        return await asyncio.gather(*asked), await ask(pool, "last")

    answers, last = with_pool(use)
    # A request is formed for the decision that answers it.
    assert all(digest == name and history[1] == f"for-{name}" for digest, name, history in answers)
    assert {digest for digest, _, _ in answers} >= {"one", "two", "three"}
    assert last[0] == "four"


def test_a_decision_that_cannot_start_leaves_the_current_one() -> None:
    async def use(pool: ScoringPool) -> Any:
        with pytest.raises(NotReadyError):
            await pool.exchange("broken", command("broken", "unready"), PROBE)
        return await ask(pool, "a"), pool.digest

    assert with_pool(use) == (("one", "one", ["a", "for-one"]), "one")


def test_a_client_that_leaves_takes_no_answer_of_others() -> None:
    async def use(pool: ScoringPool) -> Any:
        leaving = asyncio.create_task(ask(pool, "slow", "left"))
        await asyncio.sleep(0.05)
        leaving.cancel()
        return await asyncio.gather(*(ask(pool, f"e{number}") for number in range(5)))

    assert [history[0] for _, _, history in with_pool(use, size=1)] == [f"e{number}" for number in range(5)]
