"""Learning rate schedules: the share of the peak rate as a function of the completed share of the training."""

import math
from collections.abc import Callable
from typing import NamedTuple


def linear(done: float) -> float:
    """Fall from 1 to 0 linearly (Devlin et al. 2019, appendix A)."""
    return 1.0 - done


def cosine(done: float) -> float:
    """Fall from 1 to 0 in half a cosine (Loshchilov and Hutter 2017)."""
    return 0.5 * (1.0 + math.cos(math.pi * done))


def constant(done: float) -> float:
    """Stay at 1."""
    return 1.0


class Decay(NamedTuple):
    """An entry of DECAYS: the fall of the learning rate after the warm-up."""

    share: Callable[[float], float]  # of the peak, by the completed share after the warm-up
    summary: str


DECAYS = {
    "linear": Decay(linear, "falls to 0 in a line"),
    "cosine": Decay(cosine, "falls to 0 in half a cosine"),
    "constant": Decay(constant, "stays at the peak"),
}


def rate_share(decay: Decay, warm_up: float, done: float) -> float:
    """Return the share of the peak rate: it rises linearly during the warm-up, then falls by `decay`.

    Args:
        decay: an entry of DECAYS.
        warm_up: share of the training, in [0, 1).
        done: completed share of the training at the middle of the step, in (0, 1).
    """
    if done <= warm_up:
        return done / warm_up
    return max(decay.share((done - warm_up) / (1.0 - warm_up)), 0.0)
