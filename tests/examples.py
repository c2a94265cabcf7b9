"""How many examples a property is tried on: few by default, 1,000 or 10,000 where HYPOTHESIS_PROFILE says so.

All but `nightly` try the same examples each time and write nothing down, so that a run fails for what changed in the
code and not for the draw; `nightly` looks for new ones.
"""

import os

from hypothesis import HealthCheck, settings

PROFILES = {"default": 100, "push": 1_000, "nightly": 10_000, "mutation": 25}
_CHOSEN = os.environ.get("HYPOTHESIS_PROFILE", "default")


def choose_profile() -> None:
    """Register the profiles and load the chosen one; an unknown name is an error."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    for name, count in PROFILES.items():
        same = {"derandomize": True, "database": None} if name != "nightly" else {}
        chosen = settings(max_examples=count, deadline=None, suppress_health_check=slow, **same)
        settings.register_profile(name, chosen)
    settings.load_profile(_CHOSEN)


def examples(few: int) -> settings:
    """A decorator: `few` examples by default, as many as the profile says elsewhere."""
    return settings(max_examples=few if _CHOSEN == "default" else PROFILES[_CHOSEN], deadline=None)
