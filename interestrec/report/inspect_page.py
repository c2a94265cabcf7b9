"""The output of `interestrec inspect`: a user, an item or an impression as plain text."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from interestrec.report.text_columns import columns, format_value, shorten

_MAX_ATTRIBUTE_WIDTH = 100  # characters


def user_page(user: dict[str, Any]) -> str:
    """Format the result of `corpus.lookup.find_user`."""
    return "\n".join(
        [
            f"user {shorten(user['user_id'])}, {user['valid_part']}",
            *_counts(user, "events", "impressions"),
            "",
            f"Latest {len(user['latest'])} of {sum(user['events'].values()):,} events",
            *_table(user["latest"], "time", "item_id", "title", "event", "value", "intensity", "split"),
        ]
    )


def item_page(item: dict[str, Any]) -> str:
    """Format the result of `corpus.lookup.find_item`."""
    names = ("title", "text", "category", "price", "published", "has_text")
    tokens = ", ".join(f"{name} {count:,}" for name, count in item["tokens"].items())
    return "\n".join(
        [
            f"item {shorten(item['item_id'])}",
            *(f"  {name:9}  {_attribute(item[name])}" for name in names),
            f"  tokens     {tokens}",
            *_counts(item, "events"),
            f"  mean intensity {format_value(item['mean_intensity'])}",
            "",
            "Most interested users",
            *_table(item["liked_most_by"], "user_id", "intensity", "events"),
        ]
    )


def impression_page(lookup: dict[str, Any]) -> str:
    """Format the result of `corpus.lookup.find_impression`, one part per split."""
    parts = ["\n".join(_impression(lookup["impression_id"], impression)) for impression in lookup["found"]]
    return "\n\n".join(parts)


PAGES: Mapping[str, Callable[[dict[str, Any]], str]] = {
    "user": user_page,
    "item": item_page,
    "impression": impression_page,
}


def _impression(name: str, impression: dict[str, Any]) -> Iterator[str]:
    user, time = shorten(impression["user_id"]), format_value(impression["time"])
    yield f"impression {shorten(name)}, {impression['split']}, user {user}, time {time}"
    entries = impression["history"]
    yield f"  history: the latest {len(entries):,} of {impression['history_length']:,} events, latest last"
    if entries:
        yield from _table(entries, "item_id", "title", "time", "event", "intensity")
    yield f"  candidates: {len(impression['candidates']):,} of {impression['candidate_count']:,}, highest label first"
    if impression["candidates"]:
        yield from _table(impression["candidates"], "item_id", "title", "label")


def _counts(lookup: dict[str, Any], *kinds: str) -> list[str]:
    return columns(["", *lookup[kinds[0]]], [[kind, *lookup[kind].values()] for kind in kinds])


def _table(rows: list[dict[str, Any]], *names: str) -> list[str]:
    return columns(names, [[row[name] for name in names] for row in rows], indent="    ")


def _attribute(value: Any) -> str:
    return shorten(value, _MAX_ATTRIBUTE_WIDTH) if isinstance(value, str) else format_value(value)
