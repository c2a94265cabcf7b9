"""Answers as text for people: a heading per person, then one line per item."""

from collections.abc import Iterator
from textwrap import wrap

import numpy as np

from interestrec.answering.answer_tables import Answer
from interestrec.corpus.store import Corpus
from interestrec.report.text_columns import NO_VALUE, columns, shorten

_INDENT = 2  # cells of the indentation
_BELOW = " " * 6  # begins the lines of a reason
_TITLE = 60  # cells, at a width of 80


def answer_lines(log: Corpus, answer: Answer, titles: bool, width: int) -> Iterator[str]:
    """Yield the lines of all lists of an answer; a reason stands below its item.

    Args:
        titles: whether items are shown by their titles, otherwise by their ids.
        width: cells of a line.
    """
    names = (log.items["title"] if titles else log.items["item_id"]).take(answer.rows.item).to_pylist()
    for request, name in enumerate(answer.names):
        rows = np.flatnonzero(answer.rows.request == request)
        yield shorten(name, width)
        if not len(rows):
            yield f"{' ' * _INDENT}no item is left that a list may hold"
            continue
        header = ["", "intensity", "title" if titles else "item"]
        cells = [
            [
                int(answer.rows.rank[row]) or NO_VALUE,
                _share(answer.rows.intensity[row]),
                shorten(names[row], width - 80 + _TITLE),
            ]
            for row in rows.tolist()
        ]
        head, *lines = columns(header, cells, " " * _INDENT)
        yield head
        for row, line in zip(rows.tolist(), lines, strict=True):
            yield line
            if answer.reasons is not None and (reason := answer.reasons[row]):
                yield from wrap(shorten(reason, 2 * width), width, initial_indent=_BELOW, subsequent_indent=_BELOW)


def interested_lines(log: Corpus, answer: Answer, titles: bool) -> Iterator[str]:
    """Yield the lines of an answer that has one row of the same item per user: who would want it most."""
    if not answer.names:
        yield "nobody's list may hold this item"
        return
    item = int(answer.rows.item[0])
    yield shorten(log.items["title" if titles else "item_id"][item].as_py())
    rows = zip(answer.names, answer.rows.intensity, answer.rows.rank, strict=True)
    cells = [[n, _share(intensity), name, int(rank)] for n, (name, intensity, rank) in enumerate(rows, 1)]
    yield from columns(["", "intensity", "user", "place in the user's list"], cells, " " * _INDENT)


def _share(intensity: float) -> str:
    return NO_VALUE if np.isnan(intensity) else f"{intensity:.2f}"
