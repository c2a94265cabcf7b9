"""`serve`: the web service of a workspace's decision."""

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from interestrec.core import interrupts
from interestrec.core.errors import ArtifactError, ConfigError, InterestrecError, from_os_error
from interestrec.core.progress import log
from interestrec.corpus.identities import PSEUDONYMS, user_id_mapper
from interestrec.io.keys import read_key
from interestrec.io.locks import hold_lock
from interestrec.serving.decision_outline import DecisionOutline
from interestrec.serving.feedback_journal import (
    EVENT_FILE,
    FEEDBACK,
    ITEM_FILE,
    FeedbackJournal,
    event_key,
    forget_records,
    item_key,
    refuse_encryption,
)
from interestrec.serving.serve_settings import ServeSettings
from interestrec.stages.run import RunContext
from interestrec.workspace.artifacts import LOCKS
from interestrec.workspace.forgotten import FORGOTTEN_FILE, read_forgotten

if TYPE_CHECKING:
    from interestrec.serving.interest_service import InterestService

_LOOPBACK = ("127.", "::1", "localhost")


def run(context: RunContext, arguments: Sequence[str]) -> None:
    """Answer over HTTP until the process is told to end.

    Args:
        arguments: of the command line that configured the context, for the processes that make lists and updates.

    Raises:
        ConfigError: the packages of the extra `serve` are not installed; the workspace is encrypted, see
            `refuse_encryption`; the address is open to others without tokens.
        InputMissingError: the workspace has no decision.
        ArtifactError: the decision cannot be opened.
        LockedError: another service of this workspace is running.
        CannotCreateError, AccessError: the address is taken, or not permitted.
    """
    _require_packages()
    refuse_encryption(context.settings.runtime.encryption_key)
    settings, workspace = context.settings.serve, context.settings.workspace
    if settings.token_file is None and not settings.host.startswith(_LOOPBACK):
        raise ConfigError(
            f"serve.host {settings.host}: others can reach it, so set serve.token_file; or listen on 127.0.0.1, behind "
            "a proxy that knows who asks"
        )
    feedback = workspace / FEEDBACK
    with hold_lock(workspace / LOCKS / FEEDBACK, str(feedback)):
        _forget(workspace)
        with interrupts.deferred():  # to the end of the answers that are on their way
            asyncio.run(_Service(context, settings, list(arguments)).run())


def _require_packages() -> None:
    try:
        import prometheus_client  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"the web service needs the package {error.name}; run: pip install 'interestrec[serve]'"
        ) from None


def _forget(workspace: Path) -> None:
    """Take the events of users that the workspace is to forget out of the journal."""
    forgotten = read_forgotten(workspace)
    if forgotten is not None and (count := forget_records(workspace / FEEDBACK / EVENT_FILE, forgotten.__contains__)):
        log.info("serve: %d events of forgotten users left the journal", count)


@dataclass
class _Service:
    context: RunContext
    settings: ServeSettings
    arguments: list[str]

    async def run(self) -> None:
        import uvicorn

        from interestrec.serving.access_tokens import AccessTokens
        from interestrec.serving.deferred_server import DeferredServer
        from interestrec.serving.head_deadline import head_deadline
        from interestrec.serving.interest_service import InterestService
        from interestrec.serving.scoring_pool import ScoringPool
        from interestrec.serving.web_application import WebApplication

        settings, directory = self.settings, self.context.settings.workspace / FEEDBACK
        tokens = None if settings.token_file is None else AccessTokens(settings.token_file)
        listener = _listen(settings.host, settings.port)
        outline = DecisionOutline.read(self.context.open("decision"))
        size = settings.workers or len(os.sched_getaffinity(0))
        events = FeedbackJournal(directory / EVENT_FILE, event_key)
        items = FeedbackJournal(directory / ITEM_FILE, item_key)
        pool = ScoringPool(size, settings.answer_seconds)
        service = InterestService(settings, pool, events, items, self._to_log_id(outline))
        tasks: list[asyncio.Task[None]] = []
        try:
            if not await service.use(outline, self._scoring(outline)):
                raise ArtifactError(f"{outline.path}: the decision cannot be opened; the lines above say why")
            application = WebApplication(service, tokens).starlette()
            config = uvicorn.Config(
                application,
                http=head_deadline(settings.sender_seconds),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=round(settings.answer_seconds),
            )
            tasks = [asyncio.create_task(self._follow(service))]
            if settings.update_seconds is not None:
                tasks.append(asyncio.create_task(self._update(service, settings.update_seconds)))
            host, port = listener.getsockname()[:2]
            address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
            log.info("serve: listening on %s, with %d processes", address, size)
            await DeferredServer(config, tasks).serve(sockets=[listener])
            for task in tasks:
                if task.done():
                    task.result()  # raises what ended it
        finally:
            for task in tasks:
                task.cancel()
            await pool.close()
            events.close()
            items.close()
            listener.close()

    def _to_log_id(self, outline: DecisionOutline) -> Callable[[str], str]:
        key = read_key(self.context.settings.preprocess.pseudonym_key, "preprocess.pseudonym_key")
        pseudonyms = outline.context.pseudonyms
        return user_id_mapper(key, {PSEUDONYMS: pseudonyms} if pseudonyms else {})

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "interestrec", *words, *self.arguments]

    def _scoring(self, outline: DecisionOutline) -> list[str]:
        """Return the command of a process that makes lists of a decision."""
        return self._command("recommend", "--requests", "-", "--quiet", "--decision", str(outline.path))

    async def _follow(self, service: "InterestService") -> None:
        """Use the workspace's decision whenever there is a new one, and forget users when the list of them changes."""
        workspace = self.context.settings.workspace
        decision = self.context.paths.get("decision", workspace / "decision")
        seen = _states(decision, workspace / FORGOTTEN_FILE)
        while True:
            await asyncio.sleep(self.settings.poll_seconds)
            states = _states(decision, workspace / FORGOTTEN_FILE)
            for state, before, act in zip(states, seen, (self._exchange, self._forget), strict=True):
                if state != before:
                    try:
                        await act(service)
                    except InterestrecError as error:
                        log.error("serve: %s; all stays as it is", error)
            seen = states

    async def _exchange(self, service: "InterestService") -> None:
        try:
            outline = await asyncio.to_thread(lambda: DecisionOutline.read(self.context.open("decision")))
        except InterestrecError:
            service.swap_failures += 1
            raise
        await service.use(outline, self._scoring(outline))

    async def _forget(self, service: "InterestService") -> None:
        forgotten = read_forgotten(self.context.settings.workspace)
        if forgotten is not None:
            await service.forget(forgotten.__contains__)

    async def _update(self, service: "InterestService", seconds: float) -> None:
        """Let the decision follow the feedback, again and again."""
        items = 0
        while True:
            await asyncio.sleep(seconds)
            described = len(service.items.records)
            if len(service.events.records) <= service.outline.context.feedback and described == items:
                continue
            process = await asyncio.create_subprocess_exec(
                *self._command("update", "--feedback", "--quiet"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
            if status := await process.wait():
                log.error("serve: `interestrec update --feedback` ended with status %d; it is tried again", status)
            else:
                items = described


def _states(decision: Path, forgotten: Path) -> tuple[Path, tuple[int, int] | None]:
    """Return what changes when there is another decision, and another list of forgotten users."""
    try:
        status = forgotten.stat()
    except FileNotFoundError:
        return decision.resolve(), None
    return decision.resolve(), (status.st_ino, status.st_mtime_ns)


def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket, whose connections send at once.

    asyncio asks for that only where it made the socket itself. The body of an answer would otherwise wait until the
    client acknowledges the head, which clients put off for 40 ms on a connection that they keep.

    Raises:
        CannotCreateError, AccessError: the address is taken, or not permitted.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise from_os_error(error, Path(f"{host}:{port}")) from error
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
