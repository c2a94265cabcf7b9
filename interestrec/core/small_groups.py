"""Which figures are of so few people that they are not to be told."""

import numpy as np


def is_disclosable(users: np.ndarray, least: int) -> np.ndarray:
    """bool [parts]: which parts of a whole may be told, where the whole is told as well.

    A part of fewer than `least` users may not, unless it is of nobody. What the told parts leave of the whole must be
    of as many as well, so the smallest of the others goes with the small ones. A user may be in several parts.

    Args:
        users: int [parts], distinct users behind each.
    """
    small = (users > 0) & (users < least)
    kept = ~small
    if small.any() and (users >= least).any():
        kept[np.flatnonzero(users >= least)[np.argmin(users[users >= least])]] = False
    return kept


def distinct_users(part: np.ndarray, user: np.ndarray, parts: int) -> np.ndarray:
    """int64 [parts]: how many users the rows of each part have.

    Args:
        part: int [rows], −1 for none.
        user: int [rows].
    """
    known = part >= 0
    width = int(user.max(initial=0)) + 1
    pairs = np.unique(part[known].astype(np.int64) * width + user[known])
    return np.bincount(pairs // width, minlength=parts)
