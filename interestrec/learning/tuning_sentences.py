"""What a search found, as sentences."""

from collections.abc import Mapping
from typing import Any


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
        return f"{told}, so the found settings are taken; the choice flattered their gain by {one['optimism']:+.4f}"
    return f"{told}, which does not confirm them, so the configured settings stay"
