"""Bodies of the answers of the web service, as its OpenAPI document describes them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class AnswerBody(BaseModel):
    """A JSON object; later releases may add fields."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class ListedItem(AnswerBody):
    """An item of a list."""

    rank: int
    """Place in the list, from 1."""
    item_id: str
    """Item id."""
    title: str
    """Title."""
    score: float
    """Score, which compares items of one list."""
    intensity: float | None
    """Predicted intensity of the interest, from 0 to 1; null where nothing predicts it."""
    components: dict[str, float]
    """Score of the item by each component of the decision."""
    why: str | None = None
    """Reason, if the request has `explain`; null for an item without one."""


class UnknownIds(AnswerBody):
    """What the decision does not know of a request."""

    user: bool
    """Whether it does not know the user, who then gets the list of a new person."""
    items: list[str]
    """Items of the history and of the candidates that it does not know; they do not count."""


class ListAnswer(AnswerBody):
    """A list."""

    request_id: str
    """Id of the request, also in the header X-Request-Id."""
    decision: str
    """Digest of the decision that the list is from."""
    as_of: str | None
    """Time of the list, ISO 8601; null where events of the log have no times."""
    user: str | None
    """The user of the request."""
    items: list[ListedItem]
    """The items, best first."""
    unknown: UnknownIds
    """Ids of the request that the decision does not know."""


class KeptAnswer(AnswerBody):
    """What was kept of events or items."""

    request_id: str
    """Id of the request, also in the header X-Request-Id."""
    new: int
    """Number of records that were not there before."""
    known: int
    """Number of records that were there already."""


class FoundItem(AnswerBody):
    """An item that a search found."""

    item_id: str
    """Item id."""
    title: str
    """Title."""


class FoundItems(AnswerBody):
    """Items that a search found."""

    items: list[FoundItem]
    """At most 20; those whose title begins with the text come first."""


class FoundUsers(AnswerBody):
    """Users that a search found."""

    users: list[str]
    """User ids, at most 20."""
    are_pseudonyms: bool
    """Whether the log has pseudonyms; then no user is found."""


class RunningAnswer(AnswerBody):
    """The service runs."""

    status: Literal["running"]
    """That it runs."""


class ReadyAnswer(AnswerBody):
    """The service can answer now."""

    status: Literal["ready"]
    """That it is ready."""
    decision: str
    """Digest of the decision that answers are from."""
    as_of: str | None
    """Time of lists whose request names none, ISO 8601; null where events of the log have no times."""


class ErrorReason(AnswerBody):
    """Why a request was refused."""

    status: int
    """Status of HTTP."""
    reason: str
    """Reason, in a sentence for people."""
    where: str | None = None
    """Place in the request that the reason is about, such as `events.0.kind`."""


class ErrorAnswer(AnswerBody):
    """The answer to a request that was refused."""

    request_id: str
    """Id of the request, also in the header X-Request-Id."""
    error: ErrorReason
    """Why it was refused."""
