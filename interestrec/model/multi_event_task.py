"""The task of several types of events: shorthand for one binary task per type, over shared towers."""

from __future__ import annotations

from interestrec.model.binary_task import BINARY


def event_tasks(name: str, events: list[str]) -> dict[str, str]:
    """Return one task per type of event, called as the type."""
    return {event: f"event == '{event}'" for event in events}


MULTI_EVENT = BINARY._replace(
    tasks=event_tasks, summary="shorthand for one `binary` task per type in `events`, called as the type"
)
