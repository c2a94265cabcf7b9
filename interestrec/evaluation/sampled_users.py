"""What a sample of the test users costs."""

from collections.abc import Mapping

import numpy as np


def sample_sentence(counts: Mapping[str, int]) -> str | None:
    """Return what the report says of a sample of users; None if all were ranked.

    Args:
        counts: those of systems.json: `catalogue_users` of `test_users`.
    """
    every = counts.get("test_users")
    if every is None or (ranked := counts["catalogue_users"]) >= every:
        return None
    return (
        f"Evaluated on {ranked:,} of {every:,} test users, chosen by a hash of their ids (rank.users.sample): "
        f"intervals are about {np.sqrt(every / ranked):.1f} times as wide as those of all."
    )
