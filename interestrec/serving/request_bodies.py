"""Bodies of HTTP requests, and errors that become answers with a status."""

from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Id = Annotated[str, Field(min_length=1, max_length=512)]
Word = Annotated[str, Field(min_length=1, max_length=128)]
AnyBody = TypeVar("AnyBody", bound="Body")
_MOST = 100_000  # entries of any list; the configuration sets lower limits


class RequestError(Exception):
    """A request that cannot be answered: HTTP status, reason, and the place in the request."""

    def __init__(self, status: int, reason: str, where: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.where = where
        self.retry_after = retry_after  # seconds


class Body(BaseModel):
    """A JSON object without unknown fields."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class GivenEvent(Body):
    """An event of a history in a request."""

    item: Id
    """Item id."""
    kind: Word | None = None
    """Kind of the event, one of those of the log; without it the event counts as full interest."""
    value: float | None = None
    """Value, such as a rating or seconds."""
    time: datetime | None = None
    """Time, UTC without a zone; without it the event was just before the request."""

    def notation(self) -> str:
        """Return the event as ITEM[:KIND[=VALUE]][@TIME]."""
        kind = "" if self.kind is None else f":{self.kind}" + ("" if self.value is None else f"={self.value!r}")
        return f"{self.item}{kind}{'' if self.time is None else f'@{self.time.isoformat()}'}"


class RequestMoment(Body):
    """The context of a request."""

    time: datetime | None = None
    """Time of the list, UTC without a zone; without it just after the last event that the decision knows."""


class RecommendBody(Body):
    """Who asks, and for what list."""

    user: Id | None = None
    """User id; somebody whom the decision does not know gets the list of a new person."""
    history: Annotated[list[GivenEvent | Id], Field(max_length=_MOST)] | None = None
    """Events that count instead of those that the decision and the feedback know, oldest first: objects, or texts
    ITEM[:KIND[=VALUE]][@TIME]."""
    context: RequestMoment = RequestMoment()
    """The moment of the request."""
    k: Annotated[int, Field(ge=1)] = 10
    """Items of the list at most."""
    candidates: Annotated[list[Id], Field(max_length=_MOST)] | None = None
    """The only items that the list may hold; without it all of the catalogue."""
    exclude: Annotated[list[Id], Field(max_length=_MOST)] = []
    """Items that the list may not hold."""
    exclude_kinds: Annotated[list[Word], Field(max_length=64)] | None = None
    """Kinds of events whose items are left out; without it by `rank.rules.seen` of the configuration."""
    filter: Annotated[list[Annotated[str, Field(max_length=512)]], Field(max_length=32)] = []
    """Conditions on columns of items, such as `category=kitchen` or `price<30`."""
    explain: bool = False
    """Whether every item gets a reason."""


class FeedbackEvent(Body):
    """Something that a user did."""

    event_id: Id
    """Id of the event; an event that is delivered twice is kept once."""
    user: Id
    """User id."""
    item: Id
    """Item id."""
    kind: Word | None = None
    """Kind of the event, one of those of the log; may be left out where the log has one kind."""
    value: float | None = None
    """Value, such as a rating or seconds."""
    time: datetime | None = None
    """Time, UTC without a zone; without it the moment at which the event arrived."""


class FeedbackBody(Body):
    """Events to keep."""

    events: Annotated[list[FeedbackEvent], Field(min_length=1, max_length=10_000)]
    """The events, in any order."""


class NewItem(Body):
    """An item, or another description of it."""

    item: Id
    """Item id."""
    title: Annotated[str, Field(max_length=10_000)] = ""
    """Title."""
    text: Annotated[str, Field(max_length=100_000)] = ""
    """Text."""
    category: Annotated[str, Field(max_length=512)] | None = None
    """Category, with / between levels."""
    price: Annotated[float, Field(ge=0)] | None = None
    """Price."""
    published: datetime | None = None
    """Time of publication, UTC without a zone."""
    attributes: dict[Word, str | float | int | bool | list[str] | None] = {}
    """Further columns that the configuration keeps (`items.attributes`)."""


class ItemsBody(Body):
    """Items to keep."""

    items: Annotated[list[NewItem], Field(min_length=1, max_length=10_000)]
    """The items; of two descriptions the later one counts."""


def read_body(kind: type[AnyBody], content: bytes) -> AnyBody:
    """Return a body.

    Raises:
        RequestError: the content is no JSON, 400, or no such body, 422.
    """
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        first: Any = error.errors(include_url=False, include_context=False)[0]
        if first["type"] == "json_invalid":
            raise RequestError(400, first["msg"]) from None
        raise RequestError(422, first["msg"], ".".join(map(str, first["loc"])) or None) from None
