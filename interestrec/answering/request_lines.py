"""Requests as JSON lines: who asks, what is known of them, and what they want."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from interestrec.answering.asked import Asked
from interestrec.answering.given_history import GivenEventReader, GivenEvents
from interestrec.answering.item_filters import filter_items
from interestrec.answering.recommender import Recommender
from interestrec.core.choices import suggestion
from interestrec.core.errors import DataError, InterestrecError
from interestrec.corpus.store import NO_TIME
from interestrec.scorers.requests import NOBODY
from interestrec.scoring.list_limits import ItemChoice


class RequestLine(BaseModel):
    """One request; a `history` replaces what the log knows of the user."""

    model_config = ConfigDict(extra="forbid")

    id: str | None = None
    """Name of the answer; without it, that of the user."""
    user: str | None = None
    """User of the log; without it, somebody who is not in the log."""
    history: list[str] | None = None
    """Events in the notation ITEM[:KIND[=VALUE]][@TIME], oldest first."""
    new_events: list[str] = []
    """Events that the log does not have yet, in the same notation, after those of the log."""
    k: int | None = Field(default=None, ge=1)
    """Length of the list."""
    time: datetime | None = None
    """Time of the list; UTC without a zone."""
    exclude_kinds: list[str] | None = None
    """Kinds of events whose items are left out."""
    filter: list[str] | None = None
    """Conditions on columns of items."""
    candidates: list[str] | None = None
    """Items that the list may hold, no others."""
    exclude: list[str] = []
    """Items that the list may not hold; those that the decision does not know are ignored."""
    why: bool | None = None
    """Whether every item has a reason."""
    components: bool = False
    """Whether every item has its scores by component."""
    unknown: Literal["refuse", "report"] = "refuse"
    """What becomes of a user or items that the decision does not know: `refuse` makes them an error; `report` answers
    as for a new person, without these items, and names them in the answer."""


@dataclass(frozen=True)
class ListOptions:
    """What is wanted of lists unless a request says otherwise."""

    at: int  # microseconds, the time of the lists
    k: int
    exclude_kinds: tuple[str, ...] | None = None
    conditions: tuple[str, ...] = ()
    why: bool = False
    components: bool = False


@dataclass(frozen=True)
class ReadRequest:
    """A request that could be read, or the error that says why not."""

    name: str
    options: ListOptions
    user: int = NOBODY
    history: GivenEvents | None = None
    choice: ItemChoice | None = None
    unknown: dict[str, list[str]] | None = None  # ids by `user` and `items`; None: they are errors
    error: str | None = None


class RequestReader:
    """Reads and groups requests against the log of a decision."""

    def __init__(self, recommender: Recommender, options: ListOptions, to_log_id: Callable[[str], str]) -> None:
        """`to_log_id` maps an original user id to that of the log, where ids may be pseudonyms."""
        self.recommender = recommender
        self.options = options
        self.to_log_id = to_log_id
        timed = recommender.moment != NO_TIME
        self.histories = GivenEventReader(recommender.grades, recommender.item_row, timed)
        self._permitted: dict[tuple[str, ...], np.ndarray | None] = {}

    def read(self, line: str, number: int) -> ReadRequest:
        """Read one line; an error is part of the result, so that the other lines are answered."""
        name = f"line {number}"
        try:
            asked = RequestLine.model_validate_json(line)
            name = asked.id or asked.user or name
            exclude = self.options.exclude_kinds if asked.exclude_kinds is None else tuple(asked.exclude_kinds)
            conditions = self.options.conditions if asked.filter is None else tuple(asked.filter)
            options = ListOptions(
                at=self.options.at if asked.time is None else self._moment(asked.time),
                k=asked.k or self.options.k,
                exclude_kinds=exclude,
                conditions=conditions,
                why=self.options.why if asked.why is None else asked.why,
                components=asked.components,
            )
            self._excluded(options)
            self.permitted_items(options)
            if asked.user is None and asked.history is None:
                raise DataError("names neither `user` nor `history`")
            unknown: dict[str, list[str]] | None = None if asked.unknown == "refuse" else {"user": [], "items": []}
            user = self._user_row(asked.user, unknown)
            history = self._history(asked, user, options.at, f"the history of {name}", unknown)
            return ReadRequest(name, options, user, history, self._choice(asked, unknown), unknown)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            return ReadRequest(
                name, self.options, error=f"line {number}: {f'{place}: ' if place else ''}{first['msg']}"
            )
        except InterestrecError as error:
            return ReadRequest(name, self.options, error=f"line {number}: {error}")

    def _moment(self, time: datetime) -> int:
        if self.recommender.moment == NO_TIME:
            raise DataError("names a `time`, and events of the log have none")
        return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1_000_000)

    def _user_row(self, name: str | None, unknown: dict[str, list[str]] | None) -> int:
        if name is None:
            return NOBODY
        row = self.recommender.user_row.get(self.to_log_id(name))
        if row is None and unknown is not None:
            unknown["user"].append(name)
            return NOBODY
        return self.user(name) if row is None else row

    def _history(
        self, asked: RequestLine, user: int, at: int, where: str, unknown: dict[str, list[str]] | None
    ) -> GivenEvents | None:
        """Return the events that a request brings, None if those of the log are all."""
        if asked.history is None and user != NOBODY:
            if not asked.new_events:
                return None
            known = self.recommender.events_of_user(user, at)
        else:
            known = self.histories.read(asked.history or [], at, where, None if unknown is None else unknown["items"])
        # Somebody else brings the new events, who may know items before the decision does.
        return known.followed_by(self.histories.read(asked.new_events, at, where, None if unknown is None else []))

    def _choice(self, asked: RequestLine, unknown: dict[str, list[str]] | None) -> ItemChoice | None:
        if asked.candidates is None and not asked.exclude:
            return None
        rows = self.recommender.item_row
        among = None
        if asked.candidates is not None:
            if unknown is None:
                among = np.array([self.recommender.find_item(name) for name in asked.candidates], np.int64)
            else:
                unknown["items"] += [name for name in asked.candidates if name not in rows]
                among = np.array([rows[name] for name in asked.candidates if name in rows], np.int64)
        return ItemChoice(among, np.array([rows[name] for name in asked.exclude if name in rows], np.int64))

    def user(self, name: str) -> int:
        """Return the row of a user of the log by the original id.

        Raises:
            DataError: the log does not know the user.
        """
        return self.recommender.find_user(self.to_log_id(name))

    def grouped(self, requests: Sequence[ReadRequest]) -> Iterator[tuple[list[int], ListOptions, Asked]]:
        """Yield the positions of requests that want the same, what they want, and these as one."""
        groups: dict[tuple[ListOptions, bool], list[int]] = {}
        for position, request in enumerate(requests):
            if request.error is None:
                groups.setdefault((request.options, request.history is None), []).append(position)
        for (options, of_log), positions in groups.items():
            users = np.array([requests[position].user for position in positions], np.int64)
            asked = self.asked(options, users, None if of_log else [requests[p].history for p in positions])
            yield positions, options, replace(asked, choices=[requests[position].choice for position in positions])

    def asked(self, options: ListOptions, users: np.ndarray, histories: Sequence[GivenEvents | None] | None) -> Asked:
        """Return requests of users, int64 [requests]; None for `histories` takes those of the log."""
        if histories is None:
            asked = self.recommender.ask_users(users, options.at, options.k)
        else:
            given = [history for history in histories if history is not None]
            asked = Asked.of_given(users.astype(np.int32), given, np.full(len(users), options.at), options.k)
        return asked.with_options(self._excluded(options), self.permitted_items(options))

    def _excluded(self, options: ListOptions) -> frozenset[int] | None:
        if options.exclude_kinds is None:
            return None
        kinds = self.recommender.grades.kinds
        for kind in options.exclude_kinds:
            if kind not in kinds:
                near = suggestion(kind, kinds)
                raise DataError(f"no event of the log is of kind '{kind}'{near}; there are: {', '.join(kinds)}")
        return frozenset(kinds.index(kind) for kind in options.exclude_kinds)

    def permitted_items(self, options: ListOptions) -> np.ndarray | None:
        """Return the items that meet the conditions, bool [items], None without conditions; they are kept for later."""
        if options.conditions not in self._permitted:
            items = self.recommender.log.items
            self._permitted[options.conditions] = (
                filter_items(items, options.conditions) if options.conditions else None
            )
        return self._permitted[options.conditions]
