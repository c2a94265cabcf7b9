"""Raw formats by the name that `data.format` takes."""

from collections.abc import Callable

from interestrec.formats import events, mind, recbole

READERS: dict[str, Callable[..., None]] = {"mind": mind.read, "events": events.read, "recbole": recbole.read}
