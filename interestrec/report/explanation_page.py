"""The output of `interestrec explain` as plain text of 80 columns."""

from collections.abc import Iterator
from typing import Any

from interestrec.report.text_columns import columns, format_value, shorten

_WIDTH = 80  # cells
_TOLD = _WIDTH - 28  # cells of an event, beside the changes of score and rank
_EVENTS, _RAISING = 6, 2  # events shown that speak for the item, and against it
_SMALL = 0.005  # share of the score; smaller terms are summed up
_MOST_TOLD = 8  # events of the smallest removal that are listed


def explanation_page(user: str, values: dict[str, Any]) -> str:
    """Format the result of `answering.explanation.explanation_values`.

    Args:
        user: name of the person.
    """
    place = f"rank {values['rank']}" if values["rank"] else "no list may hold it, by the rules"
    head = f'"{values["title"] or values["item_id"]}" for {user}'
    parts = [
        [shorten(head, _WIDTH), f"  {place}, score {format_value(values['score'])}"],
        list(_terms(values)),
        list(_events(values)),
        list(_removal(values)),
        list(_liked(values)),
        list(_words(values)),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def _terms(values: dict[str, Any]) -> Iterator[str]:
    terms = values["terms"]
    limit = _SMALL * max(sum(map(abs, terms.values())), 1e-12)
    shown = sorted((name for name in terms if abs(terms[name]) >= limit), key=lambda name: -abs(terms[name]))
    rest = [terms[name] for name in terms if name not in shown]
    rows = [[name, f"{terms[name]:+.4f}"] for name in shown]
    if rest:
        rows.append([f"{len(rest)} others", f"{sum(rest):+.4f}"])
    yield "The score is the sum of"
    yield from columns(["", ""], [*rows, ["score", f"{values['score']:+.4f}"]])[1:]


def _events(values: dict[str, Any]) -> Iterator[str]:
    events = values["events"]
    if not events:
        yield "There is no history: the list is that of a new user."
        return
    speaks_for = [event for event in events if event["score_drop"] > 0][:_EVENTS]
    against = [event for event in events if event["score_drop"] < 0][-_RAISING:]
    yield f"Because of these of the {len(events):,} events (score and rank without each alone)"
    yield from _event_lines(values, speaks_for)
    if against:
        yield "Despite"
        yield from _event_lines(values, against)


def _event_lines(values: dict[str, Any], events: list[dict[str, Any]]) -> Iterator[str]:
    for event in events:
        rank = f"rank {values['rank']} -> {event['rank_without']}" if values["rank"] else ""
        yield f"  {shorten(event['told'], _TOLD):{_TOLD}} {-event['score_drop']:+9.4f}  {rank}".rstrip()
    if not events:
        yield "  none: no event raises the score"


def _removal(values: dict[str, Any]) -> Iterator[str]:
    removal, k = values["smallest_removal"], values["k"]
    if removal is None:
        if not values["listed"] and values["rank"]:
            yield f"The item is not among the first {k}."
        return
    events = removal["events"]
    if events is None:
        kept = "; it is there even without any history" if removal["kept_without_history"] else ""
        sure = "No events take it" if removal["proved"] else "No set of events was found that takes it"
        yield f"{sure} out of the first {k}{kept}."
        return
    by_event = {event["event"]: event["told"] for event in values["events"]}
    count = "this event" if len(events) == 1 else f"these {len(events):,} events"
    sure = "no smaller set does it" if removal["proved"] else "verified; a smaller set may do it"
    yield f"Out of the first {k} without {count} ({sure})"
    for event in events[:_MOST_TOLD]:
        yield f"  {shorten(by_event[event], _WIDTH - 2)}"
    if len(events) > _MOST_TOLD:
        yield f"  and {len(events) - _MOST_TOLD:,} more"


def _liked(values: dict[str, Any]) -> Iterator[str]:
    if not values["liked"]:
        return
    yield "Liked items that are most like it"
    rows = [[like["title"] or like["item_id"], like["by"], like["similarity"]] for like in values["liked"]]
    yield from columns(["item", "by", "similarity"], rows)


def _words(values: dict[str, Any]) -> Iterator[str]:
    words = values["words"]
    if words is None:
        return
    yield "What the words of its text add to the model's logit"
    rows = sorted(words["words"], key=lambda word: -abs(word["effect"]))
    yield from columns(["word", "adds"], [[row["word"], f"{row['effect']:+.4f}"] for row in rows])
    yield (
        f"  from {words['baseline_logit']:.4f} with empty words to {words['logit']:.4f}; "
        f"{words['completeness_error']:.1%} of the difference is not told"
    )
    if not words["complete"]:
        yield "  warning: the effects do not add up to the difference; do not rely on them"
