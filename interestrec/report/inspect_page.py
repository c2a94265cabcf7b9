"""The pages of `interestrec inspect`: a user, an item or an impression as plain text."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from interestrec.report.text_columns import columns, figure, shortened

_WIDEST_VALUE = 100  # characters of an attribute


def user_page(found: dict[str, Any]) -> str:
    """What `corpus.lookup.find_user` found."""
    return "\n".join(
        [
            f"user {shortened(found['user_id'])}, {found['valid_part']}",
            *_counts(found, "events", "impressions"),
            "",
            f"Latest {len(found['latest'])} of {sum(found['events'].values()):,} events",
            *_table(found["latest"], "time", "item_id", "title", "event", "value", "intensity", "split"),
        ]
    )


def item_page(found: dict[str, Any]) -> str:
    """What `corpus.lookup.find_item` found."""
    names = ("title", "text", "category", "price", "published", "has_text")
    tokens = ", ".join(f"{name} {count:,}" for name, count in found["tokens"].items())
    return "\n".join(
        [
            f"item {shortened(found['item_id'])}",
            *(f"  {name:9}  {_attribute(found[name])}" for name in names),
            f"  tokens     {tokens}",
            *_counts(found, "events"),
            f"  mean intensity {figure(found['mean_intensity'])}",
            "",
            "Liked most by",
            *_table(found["liked_most_by"], "user_id", "intensity", "events"),
        ]
    )


def impression_page(found: dict[str, Any]) -> str:
    """What `corpus.lookup.find_impression` found, one part a split."""
    parts = ["\n".join(_impression(found["impression_id"], one)) for one in found["found"]]
    return "\n\n".join(parts)


PAGES: Mapping[str, Callable[[dict[str, Any]], str]] = {
    "user": user_page,
    "item": item_page,
    "impression": impression_page,
}


def _impression(name: str, one: dict[str, Any]) -> Iterator[str]:
    yield f"impression {shortened(name)}, {one['split']}, user {shortened(one['user_id'])}, time {figure(one['time'])}"
    yield f"  history: the latest {len(one['history']):,} of {one['history_length']:,}, latest last"
    if one["history"]:
        yield from _table(one["history"], "item_id", "title", "time", "event", "intensity")
    yield f"  candidates: {len(one['candidates']):,} of {one['candidate_count']:,}, highest label first"
    if one["candidates"]:
        yield from _table(one["candidates"], "item_id", "title", "label")


def _counts(found: dict[str, Any], *kinds: str) -> list[str]:
    return columns(["", *found[kinds[0]]], [[kind, *found[kind].values()] for kind in kinds])


def _table(rows: list[dict[str, Any]], *names: str) -> list[str]:
    return columns(names, [[row[name] for name in names] for row in rows], indent="    ")


def _attribute(value: Any) -> str:
    return shortened(value, _WIDEST_VALUE) if isinstance(value, str) else figure(value)
