"""The tables of a search: its trials, and the metric by rung or epoch."""

import json
import math
from collections.abc import Sequence
from typing import Any

from interestrec.learning.halving import Brackets, TrialState
from interestrec.learning.search_journal import SearchJournal

COMPLETE, HALVED, FAILED = "complete", "halved", "failed"


def trial_rows(
    system: str, metric: str, lower: bool, brackets: Brackets, trials: Sequence[TrialState], journal: SearchJournal
) -> list[dict[str, Any]]:
    """Return rows of report_schemas.TRIALS; trials that were proposed and not measured are left out.

    Args:
        lower: whether a lower value of the metric is better, so that scores are negative values.
    """
    best = brackets.best(trials)
    rows = []
    for trial in trials:
        if not trial.measured:
            continue
        rung = max(trial.measured)
        score = trial.measured[rung].score
        failed = journal.fault(trial.number) is not None
        rows.append(
            {
                "system": system,
                "trial": trial.number,
                "bracket": brackets.bracket_of(trial.number),
                "rung": rung,
                "metric": metric,
                "value": None if math.isnan(score) else _value(score, lower),
                "state": FAILED if failed else COMPLETE if rung == brackets.rungs[-1] else HALVED,
                "seconds": trial.seconds,
                "settings": json.dumps(journal.settings(trial.number)),
                "best": best is not None and trial.number == best.number,
            }
        )
    return rows


def curve_rows(system: str, lower: bool, trials: Sequence[TrialState], journal: SearchJournal) -> list[dict[str, Any]]:
    """Return rows of report_schemas.CURVES: by epoch where the system is trained in epochs, otherwise by rung."""
    rows = []
    for trial in trials:
        reached = {rung: found.score for rung, found in trial.measured.items()}
        points = sorted((journal.curve(trial.number) or reached).items())
        rows += [
            {"system": system, "trial": trial.number, "rung": rung, "value": _value(score, lower)}
            for rung, score in points
            if not math.isnan(score)
        ]
    return rows


def _value(score: float, lower: bool) -> float:
    return -score if lower else score
