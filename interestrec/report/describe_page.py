"""The output of `interestrec describe`: figures of a corpus as plain text."""

from collections.abc import Iterator
from typing import Any

from interestrec.report.text_columns import columns, format_share, format_value, shorten

_BAR_WIDTH = 40  # characters
_MAX_PARAMETER_VALUES = 6  # a longer list shows its first and last value only
_ONE_CLASS = {
    "all_relevant": "impressions, all relevant",
    "none_relevant": "impressions, none relevant",
    "unlabelled": "impressions, unlabelled",
}


def page(figures: dict[str, Any]) -> str:
    """Return the sections for the result of `corpus.figures.describe`, separated by empty lines."""
    sections = [
        _size,
        _unknown_tokens,
        _splits,
        _spreads,
        _intensity,
        _event_types,
        _drops,
        _value_maps,
        _user_attributes,
    ]
    texts = ["\n".join(section(figures)) for section in sections]
    return "\n\n".join(text for text in texts if text)


def bar(count: int, largest: int) -> str:
    """Return a bar of `#`: `_BAR_WIDTH` characters for the largest count, at least one for any count above 0."""
    return "#" * max(round(_BAR_WIDTH * count / largest), 1) if count else ""


def _size(figures: dict[str, Any]) -> Iterator[str]:
    missing = figures["items_without"]
    yield f"Corpus {figures['artifact']}"
    yield f"  {figures['items']:,} items, {figures['users']:,} users"
    if figures["sparsity"] is not None:
        yield f"  sparsity {100 * figures['sparsity']:.3f} % (share of pairs of a user and an item without an event)"
    if "min_users" in figures:
        yield f"  figures of fewer than {figures['min_users']:,} users, and single events and items, are withheld"
    yield "  items without " + ", ".join(f"{name}: {count:,}" for name, count in missing.items())
    if only_unknown := figures["items_with_only_unknown_tokens"]:
        yield f"  of the items without text, {only_unknown:,} have one of which the encoder knows no word"


def _unknown_tokens(figures: dict[str, Any]) -> list[str]:
    rows = [
        [name, counts["letters"], format_share(counts["share"]), counts["items"]]
        for name, counts in figures["unknown_tokens"].items()
        if counts["unknown"]
    ]
    return (
        ["Characters that the encoder does not know", *columns(["script", "all", "unknown", "items"], rows)]
        if rows
        else []
    )


def _splits(figures: dict[str, Any]) -> list[str]:
    names = list(figures["events"])
    rows = [[kind, *figures[kind].values()] for kind in ("events", "impressions", "candidates")]
    rows += [[text, *(figures["one_class_impressions"][n][kind] for n in names)] for kind, text in _ONE_CLASS.items()]
    lines = columns(["", *names], rows)
    texts = [[f"{end} event", *(figures["time"][n][end] for n in names)] for end in ("first", "last")]
    texts.append(["events without time", *(format_value(figures["time"][n]["untimed"]) for n in names)])
    lines += ["", *columns(["", *names], texts)]
    cold = [
        [f"of {kind} not in train", *(format_share(figures["cold"][n][kind]) for n in names[1:])]
        for kind in ("users", "items")
    ]
    lines += ["", *columns(["share of events", *names[1:]], cold)]
    if figures["candidates"] == figures["impressions"]:
        lines.append("  (an impression has one candidate, because each event counts as a request: all have one class)")
    return ["By split", *lines]


def _spreads(figures: dict[str, Any]) -> list[str]:
    rows = [[name, *figures[f"events_per_{name}"].values()] for name in ("user", "item")]
    return ["Events", *columns(["per", "median", "90 %", "most"], rows)]


def _intensity(figures: dict[str, Any]) -> Iterator[str]:
    intensity = figures["intensity"]
    edges, counts = intensity["edges"], intensity["counts"]
    is_complete = None not in counts
    total, largest = (f(count or 0 for count in counts) for f in (sum, max))
    relevant_at = intensity["relevant_at"]
    yield "Intensity of events"
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        part = format_share(count / total if total and is_complete else None)
        line = f"  {low:.1f} - {high:.1f}  {format_value(count):>13}  {part:>7}  "
        yield (line + bar(count or 0, largest)).rstrip()
    above = "above 0" if relevant_at is None else f"at or above {relevant_at:g}"
    yield f"  relevant ({above}): {format_share(intensity['relevant_share'])}"


def _event_types(figures: dict[str, Any]) -> list[str]:
    rows = [[row["event"], row["count"], row["mean_intensity"]] for row in figures["event_types"]]
    return ["Event types", *columns(["event", "count", "mean intensity"], rows)] if rows else []


def _drops(figures: dict[str, Any]) -> Iterator[str]:
    for number, drop in enumerate(figures["drops"]):
        if not number:
            yield "Rows dropped by preprocess, largest number first"
        part = format_share(drop["dropped"] / drop["rows_in"])
        yield f"  {drop['rule']}: {drop['dropped']:,} of {drop['rows_in']:,} ({part})"
        if drop["reason"]:
            yield f"    {shorten(drop['reason'], 110)}"
        if drop["example"]:
            yield f"    example: {shorten(drop['example'], 101)}"


def _value_maps(figures: dict[str, Any]) -> Iterator[str]:
    for number, (event, fitted) in enumerate((figures["value_maps"] or {}).items()):
        if not number:
            yield "Maps from values to intensities, fitted on train"
        parameters = {name: value for name, value in fitted.items() if name != "map" and value is not None}
        parts = ", ".join(f"{name} {_parameter(value)}" for name, value in parameters.items())
        yield f"  {shorten(event)}: {fitted.get('map', '')} {parts}".rstrip()


def _parameter(value: Any) -> str:
    if isinstance(value, list):
        if len(value) > _MAX_PARAMETER_VALUES:
            return f"{_parameter(value[0])} ... {_parameter(value[-1])} ({len(value):,} values)"
        return f"[{', '.join(_parameter(part) for part in value)}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _user_attributes(figures: dict[str, Any]) -> Iterator[str]:
    """Yield one line per attribute."""
    if figures["user_attributes"]:
        yield "User attributes"
    for name, attribute in figures["user_attributes"].items():
        if "values" in attribute:
            text = ", ".join(f"{shorten(value['value'])} ({value['count']:,})" for value in attribute["values"])
            more = (attribute["distinct"] or 0) - len(attribute["values"])
            text += f" and {more:,} more values" if more > 0 else ""
        else:
            low, high, median = (format_value(attribute[key]) for key in ("min", "max", "median"))
            text = f"{low} to {high}, median {median}"
        yield f"  {shorten(name)} ({format_value(attribute['missing'])} unknown): {text}"
