"""Raw formats by the name that `data.format` takes."""

from interestrec.formats import events, mind, recbole

READERS = {"mind": mind.read, "events": events.read, "recbole": recbole.read}
