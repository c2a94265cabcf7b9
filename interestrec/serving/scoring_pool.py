"""ScoringPool: the processes that make lists; those that end are replaced, and all of them for a new decision."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from interestrec.core.progress import log
from interestrec.serving.scoring_process import Job, ScoringProcess

_SUSPECT = 2  # losses after which a request is asked alone, so that only the one at fault fails
_RETRY_SECONDS = 1.0  # between a process that could not start and the next attempt
_WATCH_SECONDS = 0.5  # between looks for processes that do not answer


class RequestFailedError(Exception):
    """Processes ended over a request, again and again."""


class NotReadyError(Exception):
    """A process ended before it was ready."""


@dataclass
class Generation:
    """The processes of one decision."""

    digest: str  # of the decision
    command: Sequence[str]
    probe: Mapping[str, Any]  # request; whoever answers it is ready
    starting: list[ScoringProcess] = field(default_factory=list)
    ready: list[ScoringProcess] = field(default_factory=list)
    is_current: bool = False


class ScoringPool:
    """Asks the process with the fewest requests in hand."""

    def __init__(self, size: int, answer_seconds: float) -> None:
        """
        Args:
            size: number of processes.
            answer_seconds: after which a process without an answer is killed.
        """
        self.size = size
        self.answer_seconds = answer_seconds
        self.restarts = 0
        self._current: Generation | None = None
        self._waiting: deque[Job] = deque()
        self._suspects: deque[Job] = deque()
        self._reserved: ScoringProcess | None = None  # takes suspects alone, one after the other
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def digest(self) -> str | None:
        """Digest of the decision in use, None before there is one."""
        return None if self._current is None else self._current.digest

    @property
    def is_ready(self) -> bool:
        """Whether a process can answer now."""
        return self._current is not None and bool(self._current.ready)

    async def ask(self, request: Callable[[str], Mapping[str, Any]]) -> tuple[str, dict[str, Any]]:
        """Return the digest of the decision that answered, and the answer.

        Args:
            request: from the digest of the decision that is to answer; what is known beside it depends on it.

        Raises:
            RequestFailedError: processes ended over this request.
        """
        job = Job(request)
        job.answer.add_done_callback(lambda _: self._assign())
        self._waiting.append(job)
        self._assign()
        answer = await job.answer
        return job.digest, answer

    async def exchange(self, digest: str, command: Sequence[str], probe: Mapping[str, Any]) -> None:
        """Replace the processes by those of another decision once these are ready; no request fails by it.

        Args:
            digest: of the decision.
            command: of a process.
            probe: request that a process must answer first, such as one for which all has to be loaded.

        Raises:
            NotReadyError: the new ones cannot start; the old ones go on.
        """
        new = Generation(digest, command, probe)
        started = await asyncio.gather(*(self._start(new) for _ in range(self.size)), return_exceptions=True)
        if failed := [outcome for outcome in started if isinstance(outcome, BaseException)]:
            await self._stop(new)
            raise failed[0]
        old, self._current = self._current, new
        new.is_current = True
        if old is None:
            self._keep(self._watch())
        self._assign()
        if old is not None:
            old.is_current = False
            await self._stop(old)

    async def close(self) -> None:
        """Let all processes answer what they have, and end."""
        current, self._current = self._current, None
        for task in self._tasks:
            task.cancel()
        if current is not None:
            current.is_current = False
            await self._stop(current)

    def _assign(self) -> None:
        """Give requests to processes that are ready."""
        ready = self._current.ready if self._current else []
        if self._reserved not in ready:
            self._reserved = None
        if self._suspects and ready:
            self._reserved = self._reserved or min(ready, key=_load)
        if self._reserved is not None and not self._reserved.jobs:
            if self._suspects:
                self._reserved.ask(self._suspects.popleft())
            else:
                self._reserved = None
        others = [process for process in ready if process is not self._reserved]
        while self._waiting and others:
            job = self._waiting.popleft()
            if not job.answer.done():  # else the client left
                min(others, key=_load).ask(job)

    async def _start(self, generation: Generation) -> None:
        """Start a process and wait until it is ready.

        Raises:
            NotReadyError: it ended before.
        """
        probe = Job(lambda _: generation.probe)
        process = await ScoringProcess.start(
            generation.command, generation.digest, partial(self._ended, generation, probe)
        )
        generation.starting.append(process)
        process.ask(probe)
        await probe.answer
        generation.starting.remove(process)
        generation.ready.append(process)

    def _ended(self, generation: Generation, probe: Job, process: ScoringProcess, left: list[Job]) -> None:
        if process in generation.starting:
            generation.starting.remove(process)
        if not probe.answer.done():
            probe.answer.set_exception(NotReadyError(f"a process of decision {generation.digest} cannot start"))
            return
        if process in generation.ready:
            generation.ready.remove(process)
        if generation.is_current:
            self.restarts += 1
            log.warning("serve: a scoring process ended and is replaced; its %d requests are asked again", len(left))
            self._keep(self._replace(generation))
        left = [job for job in left if not job.answer.done()]  # without those whose clients left
        for job in reversed(left):
            job.losses += 1
            if job.losses < _SUSPECT:
                self._waiting.appendleft(job)
            elif job.losses > _SUSPECT and len(left) == 1:
                job.answer.set_exception(RequestFailedError())
            else:
                self._suspects.append(job)
        self._assign()

    async def _replace(self, generation: Generation) -> None:
        while generation.is_current:
            try:
                await self._start(generation)
            except NotReadyError as error:
                log.error("serve: %s; the next attempt is in %g s", error, _RETRY_SECONDS)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            if not generation.is_current:
                await self._stop(generation)
            self._assign()
            return

    async def _stop(self, generation: Generation) -> None:
        for process in generation.starting:
            process.kill()
        await asyncio.gather(*(process.stop() for process in [*generation.starting, *generation.ready]))

    async def _watch(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            for process in list(self._current.ready) if self._current else ():
                if process.jobs and clock() - process.jobs[0].asked_at > self.answer_seconds:
                    log.warning("serve: a scoring process has not answered for %g s", self.answer_seconds)
                    process.kill()

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _load(process: ScoringProcess) -> int:
    return len(process.jobs)
