"""What a search found, as sentences."""

from collections.abc import Mapping
from typing import Any

from interestrec.learning.setting_importance import SearchImportance


def system_sentence(name: str, one: Mapping[str, Any]) -> str:
    """Return what was found of a system and what becomes of it.

    Args:
        name: of the system.
        one: its entry in tuning.json.
    """
    select, blend, metric = one["select"], one["blend"], one["metric"]
    trials = f"{one['trials']} trial{'' if one['trials'] == 1 else 's'}"
    if one["found"] == one["configured"]:
        return f"{name}: in {trials} nothing was better than the configured settings, which stay"
    told = (
        f"{name}: the best of {trials} has {metric} {select['found']:.4f} on valid_select, where the configured "
        f"settings have {select['configured']:.4f}; on valid_blend, which the search has not seen, the gain is "
        f"{blend['gain']:+.4f} ({blend['ci_low']:+.4f} to {blend['ci_high']:+.4f})"
    )
    if one["confirmed"]:
        flattery = f"; the choice flattered their gain by {one['optimism']:.4f}" if one["optimism"] > 0 else ""
        return f"{told}, so the found settings are taken{flattery}"
    return f"{told}, which does not confirm them, so the configured settings stay"


def budget_sentence(budget: str, systems: int) -> str:
    """Return what the budget was, and that it was one for every system.

    Args:
        budget: as in tuning.json.
        systems: how many were searched.
    """
    if systems == 1:
        return f"The budget was {budget}, for one system"
    if "trial" in budget:
        return f"The budget was {budget} for each of {systems} systems, the same for every one"
    return f"The budget was {budget} of measurements, in {systems} equal parts, one for every system"


def importance_sentence(importance: SearchImportance, unit: str) -> str:
    """Return which settings mattered by more than chance explains, and what that rests on.

    Args:
        unit: of rungs.
    """
    names = [one.key for one in importance.settings if one.stands_out]
    rests = f"{importance.trials} trials, compared after {importance.rung} {unit}"
    if unit.startswith("%"):
        rests = f"{importance.trials} trials, compared as fitted on {importance.rung} {unit}"
    if not names:
        return f"By {rests}, no setting matters by more than shuffled scores would show"
    verb = "matters" if len(names) == 1 else "matter"
    return f"By {rests}, {', '.join(names)} {verb} by more than shuffled scores would show"
