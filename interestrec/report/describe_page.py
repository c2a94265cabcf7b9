"""The page of `interestrec describe`: figures on a corpus as plain text."""

from collections.abc import Iterator
from typing import Any

from interestrec.report.text_columns import columns, figure, share, shortened

_BAR = 40  # characters of the longest bar
_LISTED = 6  # values of a fitted map that are written out; of more, the first and the last
_ONE_CLASS = {
    "all_relevant": "impressions, all relevant",
    "none_relevant": "impressions, none relevant",
    "unlabelled": "impressions, unlabelled",
}


def page(found: dict[str, Any]) -> str:
    """All sections of what `corpus.description.describe` found, an empty line between them."""
    sections = [_size, _splits, _spreads, _intensity, _event_types, _drops, _value_maps, _user_attributes]
    texts = ["\n".join(section(found)) for section in sections]
    return "\n\n".join(text for text in texts if text)


def bar(count: int, most: int) -> str:
    """A bar of `#`, `_BAR` long for the greatest count and at least one long for any."""
    return "#" * max(round(_BAR * count / most), 1) if count else ""


def _size(found: dict[str, Any]) -> Iterator[str]:
    lacking = found["items_without"]
    yield f"Corpus {found['artifact']}"
    yield f"  {found['items']:,} items, {found['users']:,} users"
    if found["sparsity"] is not None:
        yield f"  sparsity {100 * found['sparsity']:.3f} % (pairs of a user and an item without an event)"
    if "min_users" in found:
        yield f"  figures of fewer than {found['min_users']:,} users, and of single events and items, are withheld"
    yield "  items without " + ", ".join(f"{name}: {count:,}" for name, count in lacking.items())


def _splits(found: dict[str, Any]) -> list[str]:
    names = list(found["events"])
    rows = [[kind, *found[kind].values()] for kind in ("events", "impressions", "candidates")]
    rows += [[text, *(found["one_class_impressions"][n][kind] for n in names)] for kind, text in _ONE_CLASS.items()]
    lines = columns(["", *names], rows)
    texts = [[f"{end} event", *(found["time"][n][end] for n in names)] for end in ("first", "last")]
    texts.append(["events without time", *(figure(found["time"][n]["untimed"]) for n in names)])
    lines += ["", *columns(["", *names], texts)]
    cold = [
        [f"of {kind} not in train", *(share(found["cold"][n][kind]) for n in names[1:])] for kind in ("users", "items")
    ]
    lines += ["", *columns(["share of events", *names[1:]], cold)]
    if found["candidates"] == found["impressions"]:
        lines.append("  (an impression has one candidate: each event stands for a request, so all are of one class)")
    return ["By split", *lines]


def _spreads(found: dict[str, Any]) -> list[str]:
    rows = [[name, *found[f"events_per_{name}"].values()] for name in ("user", "item")]
    return ["Events", *columns(["per", "median", "90 %", "most"], rows)]


def _intensity(found: dict[str, Any]) -> Iterator[str]:
    intensity = found["intensity"]
    edges, counts = intensity["edges"], intensity["counts"]
    whole = None not in counts
    total, most = (f(count or 0 for count in counts) for f in (sum, max))
    least = intensity["relevant_at"]
    yield "Intensity of events"
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        part = share(count / total if total and whole else None)
        line = f"  {low:.1f} - {high:.1f}  {figure(count):>13}  {part:>7}  "
        yield (line + bar(count or 0, most)).rstrip()
    above = "above 0" if least is None else f"at or above {least:g}"
    yield f"  relevant ({above}): {share(intensity['relevant_share'])}"


def _event_types(found: dict[str, Any]) -> list[str]:
    rows = [[row["event"], row["count"], row["mean_intensity"]] for row in found["event_types"]]
    return ["Types of events", *columns(["event", "count", "mean intensity"], rows)] if rows else []


def _drops(found: dict[str, Any]) -> Iterator[str]:
    for number, drop in enumerate(found["drops"]):
        if not number:
            yield "Left out by preprocess, most first"
        part = share(drop["dropped"] / drop["rows_in"])
        yield f"  {drop['rule']}: {drop['dropped']:,} of {drop['rows_in']:,} ({part})"
        if drop["reason"]:
            yield f"    {shortened(drop['reason'], 110)}"
        if drop["example"]:
            yield f"    such as {shortened(drop['example'], 102)}"


def _value_maps(found: dict[str, Any]) -> Iterator[str]:
    for number, (event, fitted) in enumerate((found["value_maps"] or {}).items()):
        if not number:
            yield "From values to intensities, as fitted on train"
        parameters = {name: value for name, value in fitted.items() if name != "map" and value is not None}
        parts = ", ".join(f"{name} {_parameter(value)}" for name, value in parameters.items())
        yield f"  {shortened(event)}: {fitted.get('map', '')} {parts}".rstrip()


def _parameter(value: Any) -> str:
    if isinstance(value, list):
        if len(value) > _LISTED:
            return f"{_parameter(value[0])} ... {_parameter(value[-1])} ({len(value):,} values)"
        return f"[{', '.join(_parameter(part) for part in value)}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _user_attributes(found: dict[str, Any]) -> Iterator[str]:
    """One line an attribute."""
    if found["user_attributes"]:
        yield "Attributes of users"
    for name, told in found["user_attributes"].items():
        if "values" in told:
            text = ", ".join(f"{shortened(value['value'])} ({value['count']:,})" for value in told["values"])
            more = (told["distinct"] or 0) - len(told["values"])
            text += f" and {more:,} more values" if more > 0 else ""
        else:
            text = f"{figure(told['min'])} to {figure(told['max'])}, median {figure(told['median'])}"
        yield f"  {shortened(name)} ({figure(told['missing'])} unknown): {text}"
