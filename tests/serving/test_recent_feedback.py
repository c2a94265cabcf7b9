"""Feedback counts once in the next list, whatever else happens at that moment."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from interestrec.serving.feedback_journal import FeedbackJournal, event_key, item_key
from interestrec.serving.interest_service import InterestService
from interestrec.serving.request_bodies import FeedbackEvent, RecommendBody
from interestrec.serving.serve_settings import ServeSettings


class RecordingPool:
    """Uses every decision at once and answers with the new events of the request."""

    digest: str | None = None

    async def exchange(self, digest: str, command: Sequence[str], probe: object) -> None:
        self.digest = digest

    async def ask(self, request: Callable[[str], dict[str, Any]]) -> tuple[str, dict[str, Any]]:
        assert self.digest is not None
        new_events = request(self.digest)["new_events"]
        return self.digest, {"items": new_events, "unknown": {"user": [], "items": []}}


def outline(digest: str, feedback: int) -> Any:
    context = SimpleNamespace(feedback=feedback)
    return SimpleNamespace(probe={}, digest=digest, context=context, kinds=["view"], as_of=None)


def event(name: str) -> FeedbackEvent:
    return FeedbackEvent(event_id=name, user="u", item=f"item-{name}")


async def new_events(service: InterestService) -> list[str]:
    return (await service.recommend(RecommendBody(user="u"), "request"))["items"]


def test_an_event_that_arrives_at_an_exchange_counts_once(tmp_path: Path) -> None:
    async def run() -> None:
        events, items = FeedbackJournal(tmp_path / "e", event_key), FeedbackJournal(tmp_path / "i", item_key)
        pool: Any = RecordingPool()
        service = InterestService(ServeSettings(), pool, events, items, str)
        await service.use(outline("one", 0), [])
        await service.keep_events([event("a")])
        assert await new_events(service) == ["item-a:view"]
        keeping = asyncio.create_task(service.keep_events([event("b"), event("a")]))
        while len(events.records) < 2:
            await asyncio.sleep(0)
        assert not keeping.done()  # the event is on the disk, and its client does not know yet
        await service.use(outline("two", 1), [])
        assert await keeping == 1
        assert await new_events(service) == ["item-b:view"]
        await service.use(outline("one", 0), [])
        assert await new_events(service) == ["item-a:view", "item-b:view"]
        await service.forget(lambda user: user == "u")
        await service.keep_events([event("c")])
        assert await new_events(service) == ["item-c:view"]
        events.close()
        items.close()

    asyncio.run(run())
