"""Suppression of figures that describe too few users."""

import numpy as np


def is_disclosable(users: np.ndarray, min_users: int) -> np.ndarray:
    """Return which parts of a total may be published together with the total; bool [parts].

    A part with fewer than `min_users` users is suppressed, unless it is empty. The remainder, which is the total minus
    the published parts, must have as many users as well; so the smallest of the other parts is suppressed too
    (secondary suppression). A user may be in several parts.

    Args:
        users: int [parts], distinct users of each part.
    """
    small = (users > 0) & (users < min_users)
    disclosable = ~small
    large = users >= min_users
    if small.any() and large.any():
        disclosable[np.flatnonzero(large)[np.argmin(users[large])]] = False
    return disclosable


def distinct_users(part: np.ndarray, user: np.ndarray, parts: int) -> np.ndarray:
    """Count the distinct users of each part; int64 [parts].

    Args:
        part: int [rows], −1 for none.
        user: int [rows].
    """
    in_part = part >= 0
    width = int(user.max(initial=0)) + 1
    pairs = np.unique(part[in_part].astype(np.int64) * width + user[in_part])
    return np.bincount(pairs // width, minlength=parts)
