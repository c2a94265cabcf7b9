"""InterestService: answers requests, keeps feedback, and lets both meet: what somebody did counts in the next list."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from interestrec.core.errors import InterestrecError
from interestrec.core.progress import log
from interestrec.serving.decision_outline import DecisionOutline
from interestrec.serving.feedback_journal import FeedbackJournal
from interestrec.serving.request_bodies import (
    FeedbackEvent,
    GivenEvent,
    NewItem,
    RecommendBody,
    RequestError,
)
from interestrec.serving.scoring_pool import NotReadyError, RequestFailedError, ScoringPool
from interestrec.serving.serve_settings import ServeSettings


class InterestService:
    """What the web application asks."""

    def __init__(
        self,
        settings: ServeSettings,
        pool: ScoringPool,
        events: FeedbackJournal,
        items: FeedbackJournal,
        to_log_id: Callable[[str], str],
    ) -> None:
        """`to_log_id` maps an original user id to that of the log, where ids may be pseudonyms."""
        self.settings = settings
        self.pool = pool
        self.events = events
        self.items = items
        self.to_log_id = to_log_id
        self.outlines: dict[str, DecisionOutline] = {}  # by digest: of the current decision and the one before
        self.in_hand = 0
        self.swap_failures = 0
        # By digest of a decision and user of its log: the events that it does not know, oldest first, as notation.
        self._recent: dict[str, dict[str, list[str]]] = {}
        self._read: dict[str, int] = {}  # by digest: records of the journal that `_recent` and the decision cover

    @property
    def outline(self) -> DecisionOutline:
        """The outline of the current decision."""
        return self.outlines[str(self.pool.digest)]

    async def use(self, outline: DecisionOutline, command: Sequence[str]) -> bool:
        """Answer from another decision from now on; return whether it could be opened.

        Args:
            command: of the processes that make its lists.
        """
        before = self.pool.digest
        self.outlines[outline.digest] = outline
        self._read_journal(outline)
        try:
            await self.pool.exchange(outline.digest, command, outline.probe)
        except NotReadyError as error:
            self.swap_failures += 1
            del self.outlines[outline.digest], self._recent[outline.digest], self._read[outline.digest]
            log.error("serve: %s; %s", error, "the current decision stays" if before else "see the lines before")
            return False
        kept = {digest for digest in (before, outline.digest) if digest is not None}  # some answers are on their way
        self.outlines = {digest: self.outlines[digest] for digest in kept}
        self._recent = {digest: self._recent[digest] for digest in kept}
        self._read = {digest: self._read[digest] for digest in kept}
        log.info("serve: answers are from decision %s", outline.digest)
        return True

    def _read_journal(self, outline: DecisionOutline) -> None:
        """Read the feedback that a decision does not know yet, by time."""
        self._recent[outline.digest], self._read[outline.digest] = {}, len(self.events.records)
        later = [record for record in self.events.records[outline.context.feedback :] if record]
        self._add(outline.digest, sorted(later, key=lambda record: str(record["time"])))

    def _read_on(self) -> None:
        """Read the feedback that has come since."""
        for digest, read in self._read.items():  # a decision that came meanwhile has read some of it already
            self._add(digest, self.events.records[read:])
            self._read[digest] = len(self.events.records)

    def _add(self, digest: str, records: Sequence[Mapping[str, Any]]) -> None:
        for record in records:
            self._recent[digest].setdefault(str(record["user_id"]), []).append(_notation(record))

    async def recommend(self, body: RecommendBody, request_id: str) -> dict[str, Any]:
        """Return a list.

        Raises:
            RequestError: the request cannot be answered, 422; there is no room for it, or no process for now, 503.
        """
        self._check_lengths(body)
        history = None
        if body.history is not None:
            history = [event.notation() if isinstance(event, GivenEvent) else event for event in body.history]
        asked = {
            "id": request_id,
            "user": body.user,
            "history": [] if history is None and body.user is None else history,
            "k": body.k,
            "time": None if body.context.time is None else body.context.time.isoformat(),
            "exclude_kinds": body.exclude_kinds,
            "filter": body.filter,
            "candidates": body.candidates,
            "exclude": body.exclude,
            "why": body.explain,
            "components": True,
            "unknown": "report",
        }
        user = None if history is not None or body.user is None else self.to_log_id(body.user)

        def request(digest: str) -> dict[str, Any]:
            recent = [] if user is None else self._recent[digest].get(user, [])
            return {**asked, "new_events": recent[-self.settings.max_history :]}

        digest, answer = await self._ask(request)
        if "error" in answer:
            raise RequestError(422, answer["error"].removeprefix("line ").partition(": ")[2])
        outline = self.outlines[digest]
        as_of = outline.as_of if body.context.time is None else body.context.time.isoformat()
        return {
            "request_id": request_id,
            "decision": digest,
            "as_of": as_of,
            "user": body.user,
            "items": answer["items"],
            "unknown": {"user": bool(answer["unknown"]["user"]), "items": answer["unknown"]["items"]},
        }

    def _check_lengths(self, body: RecommendBody) -> None:
        most = self.settings.max_history
        for name in ("history", "candidates", "exclude"):
            if len(getattr(body, name) or ()) > most:
                raise RequestError(422, f"has more than {most} entries, see serve.max_history", name)
        if body.k > self.settings.max_list:
            raise RequestError(422, f"is above {self.settings.max_list}, see serve.max_list", "k")

    async def _ask(self, request: Callable[[str], Mapping[str, Any]]) -> tuple[str, dict[str, Any]]:
        if self.in_hand >= self.settings.queue:
            raise RequestError(503, "there are too many requests in hand; ask again later", retry_after=1)
        self.in_hand += 1
        try:
            async with asyncio.timeout(2 * self.settings.answer_seconds):
                return await self.pool.ask(request)
        except RequestFailedError:
            raise RequestError(500, "processes ended over this request; see the service's log") from None
        except TimeoutError:
            raise RequestError(503, "no process answers; ask again later", retry_after=5) from None
        finally:
            self.in_hand -= 1

    async def keep_events(self, events: Sequence[FeedbackEvent]) -> int:
        """Keep events, which count in the next lists of their users; return how many are new.

        Raises:
            RequestError: an event is of an unknown kind, 422; the disk refuses, 507.
        """
        now, kinds = datetime.now(UTC), self.outline.kinds
        records = []
        for number, event in enumerate(events):
            kind = kinds[0] if event.kind is None and len(kinds) == 1 else event.kind
            if kind not in kinds:
                raise RequestError(422, f"is none of: {', '.join(kinds)}", f"events.{number}.kind")
            time = event.time or now
            moment = (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
            records.append(
                {
                    "event_id": event.event_id,
                    "user_id": self.to_log_id(event.user),
                    "item_id": event.item,
                    "time": moment.isoformat(timespec="microseconds").replace("+00:00", "Z"),
                    "event": kind,
                    "value": event.value,
                }
            )
        is_new = await _kept(self.events.append(records))
        self._read_on()
        return sum(is_new)

    async def forget(self, forgotten: Callable[[str], bool]) -> None:
        """Forget what some users did; `forgotten` says of a user id of the log whether it is one of them."""
        count = await self.events.forget(forgotten)
        for outline in self.outlines.values():
            self._read_journal(outline)
        log.info("serve: %d events of forgotten users left the journal", count)

    async def keep_items(self, items: Sequence[NewItem]) -> int:
        """Keep descriptions of items, which the next update reads; return how many are new.

        Raises:
            RequestError: the disk refuses, 507.
        """
        records = []
        for item in items:
            described = item.model_dump(mode="json", exclude={"attributes", "item"}, exclude_none=True)
            records.append({**item.attributes, **described, "item_id": item.item})
        return sum(await _kept(self.items.append(records)))


async def _kept(appended: Awaitable[list[bool]]) -> list[bool]:
    try:
        return await appended
    except InterestrecError as error:
        log.error("serve: %s", error)
        raise RequestError(507, "the feedback cannot be kept; see the service's log", retry_after=5) from None


def _notation(record: Mapping[str, Any]) -> str:
    """Return an event of the journal in the notation of histories, without its time: it was just before the request."""
    return GivenEvent(item=record["item_id"], kind=record["event"], value=record["value"]).notation()
