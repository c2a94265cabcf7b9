"""The HTML page of a search: one file without external resources."""

from collections.abc import Mapping, Sequence
from typing import Any

from interestrec import __version__
from interestrec.learning.tuning_sentences import system_sentence
from interestrec.report import html

TEMPLATE = "tuning.html.j2"

Rows = Sequence[dict[str, Any]]


def page(document: Mapping[str, Any], trials: Rows, curves: Rows) -> str:
    """Return the page.

    Args:
        document: content of tuning.json.
        trials: rows of report_schemas.TRIALS.
        curves: rows of report_schemas.CURVES.
    """
    systems = [
        {"name": name, "sentence": system_sentence(name, one), **one} for name, one in document["systems"].items()
    ]
    return html.template(TEMPLATE).render(version=__version__, budget=document["budget"], systems=systems)
