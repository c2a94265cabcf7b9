"""ScoringProcess: one process of `interestrec recommend --requests -`, asked line by line."""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

_LONGEST_LINE = 1 << 26  # bytes of an answer
_STOP_SECONDS = 5.0  # for a process to end by itself


@dataclass
class Job:
    """A request and its answer to come."""

    request: Callable[[str], Mapping[str, Any]]  # of the decision, by its digest, that is to answer
    answer: asyncio.Future[dict[str, Any]] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    asked_at: float = 0.0  # by the loop's clock
    digest: str = ""  # of the decision of the process that has it
    losses: int = 0  # processes that ended while they had it


class ScoringProcess:
    """Answers come in the order of the requests; the requests of a process that ends are handed back."""

    def __init__(
        self, process: asyncio.subprocess.Process, digest: str, on_end: Callable[["ScoringProcess", list[Job]], None]
    ) -> None:
        self.digest = digest
        self.jobs: deque[Job] = deque()
        self._process = process
        self._on_end = on_end
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(
        cls, command: Sequence[str], digest: str, on_end: Callable[["ScoringProcess", list[Job]], None]
    ) -> "ScoringProcess":
        """Start a process.

        Args:
            digest: of its decision.
            on_end: is called with the process and its unanswered requests when it has ended, for whatever reason.
        """
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
            start_new_session=True,  # signals of a terminal are for the service, which answers to the end
        )
        return cls(process, digest, on_end)

    def ask(self, job: Job) -> None:
        """Send a request."""
        assert self._process.stdin is not None
        job.asked_at, job.digest = asyncio.get_running_loop().time(), self.digest
        self.jobs.append(job)
        with suppress(OSError, RuntimeError):  # it has just ended, and `_read` hands the request back
            self._process.stdin.write(json.dumps(job.request(self.digest)).encode() + b"\n")

    async def stop(self) -> None:
        """Let the process answer what it has, and end."""
        assert self._process.stdin is not None
        with suppress(OSError, RuntimeError):
            self._process.stdin.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await asyncio.shield(self._reader)
        self.kill()
        await self._reader

    def kill(self) -> None:
        """End the process at once."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            async for line in self._process.stdout:
                answer = json.loads(line)
                job = self.jobs.popleft()
                if not job.answer.done():  # the client may have left
                    job.answer.set_result(answer)
        except ValueError:  # too long a line, or no JSON: nothing that follows belongs to a request for sure
            self.kill()
        finally:
            await self._process.wait()
            left, self.jobs = list(self.jobs), deque()
            self._on_end(self, left)
