"""A web service on a real socket, whose scoring processes are stand-ins."""

import asyncio
import http.client
import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import uvicorn

from interestrec.scoring.decision_files import DecisionContext
from interestrec.serving.access_tokens import AccessTokens
from interestrec.serving.decision_outline import DecisionOutline
from interestrec.serving.feedback_journal import FeedbackJournal, event_key, item_key
from interestrec.serving.head_deadline import head_deadline
from interestrec.serving.interest_service import InterestService
from interestrec.serving.scoring_pool import ScoringPool
from interestrec.serving.serve_settings import ServeSettings
from interestrec.serving.web_application import WebApplication

STAND_IN = Path(__file__).with_name("scoring_stand_in.py")


def outline(digest: str = "one", feedback: int = 0) -> DecisionOutline:
    """A decision with two kinds of events, three items and two users."""
    context = DecisionContext({}, None, 1, None, 1, True, {}, None, feedback)
    items = pa.table({"item_id": ["i1", "i2", "i3"], "title": ["Red pan", "Pan lid", "Mug"]})
    return DecisionOutline(digest, Path(), context, ["purchase", "view"], 10**15, items, pa.array(["u1", "u2"]))


@dataclass
class Answer:
    """What a client got."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.content)


@dataclass
class RunningService:
    """A service in a thread of its own; use it as a context."""

    directory: Path
    settings: ServeSettings = field(default_factory=ServeSettings)
    to_log_id: Callable[[str], str] = str
    port: int = 0

    def __enter__(self) -> "RunningService":
        self._started, self._failed = threading.Event(), []
        self._thread = threading.Thread(target=self._run_thread)
        self._thread.start()
        assert self._started.wait(60)
        if self._failed:
            raise self._failed[0]
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _run_thread(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:
            self._failed.append(error)
        finally:
            self._started.set()

    async def _run(self) -> None:
        self.loop = asyncio.get_running_loop()
        events = FeedbackJournal(self.directory / "events.jsonl", event_key)
        items = FeedbackJournal(self.directory / "items.jsonl", item_key)
        pool = ScoringPool(1, self.settings.answer_seconds)
        self.service = InterestService(self.settings, pool, events, items, self.to_log_id)
        try:
            assert await self.service.use(outline(), self.command("one"))
            tokens = None if self.settings.token_file is None else AccessTokens(self.settings.token_file)
            config = uvicorn.Config(
                WebApplication(self.service, tokens).starlette(),
                port=0,
                http=head_deadline(self.settings.sender_seconds),
                ws="none",
                lifespan="off",
                log_config=None,
            )
            self.server = uvicorn.Server(config)
            serving = asyncio.create_task(self.server.serve())
            while not self.server.started:
                await asyncio.sleep(0.01)
            self.port = self.server.servers[0].sockets[0].getsockname()[1]
            self._started.set()
            await serving
        finally:
            await pool.close()
            events.close()
            items.close()

    @staticmethod
    def command(name: str) -> list[str]:
        return [sys.executable, str(STAND_IN), name]

    def use(self, decision: DecisionOutline) -> bool:
        """Let the service use another decision."""
        using = self.service.use(decision, self.command(decision.digest))
        return asyncio.run_coroutine_threadsafe(using, self.loop).result(60)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Send a request; underscores in the names of headers stand for hyphens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def post(self, path: str, document: Any, **headers: str) -> Answer:
        """Send a JSON document."""
        return self.ask("POST", path, json.dumps(document).encode(), Content_Type="application/json", **headers)
