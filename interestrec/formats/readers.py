"""Raw formats by the name that `data.format` takes."""

from collections.abc import Callable

from interestrec.formats import amazon, events, impressions, mind, movielens, recbole

READERS: dict[str, Callable[..., None]] = {
    "mind": mind.read,
    "impressions": impressions.read,
    "events": events.read,
    "movielens": movielens.read,
    "amazon": amazon.read,
    "recbole": recbole.read,
}
