"""How the learning rate goes: shares of the peak as functions of how much of the training is done."""

import math
from collections.abc import Callable
from typing import NamedTuple


def linear(done: float) -> float:
    """From 1 to 0 in a line (Devlin et al. 2019, appendix A)."""
    return 1.0 - done


def cosine(done: float) -> float:
    """From 1 to 0 in half a cosine (Loshchilov and Hutter 2017)."""
    return 0.5 * (1.0 + math.cos(math.pi * done))


def constant(done: float) -> float:
    """1."""
    return 1.0


class Decay(NamedTuple):
    """How the learning rate falls after the warm-up."""

    share: Callable[[float], float]  # of the peak, from the share of the steps after the warm-up that are done
    summary: str


DECAYS = {
    "linear": Decay(linear, "falls to 0 in a line"),
    "cosine": Decay(cosine, "falls to 0 in half a cosine"),
    "constant": Decay(constant, "stays at the peak"),
}


def rate_share(decay: Decay, warm_up: float, done: float) -> float:
    """Share of the peak rate: rising in a line over the first `warm_up` of the training, then falling as `decay` says.

    Args:
        decay: of DECAYS.
        warm_up: share of the training, in [0, 1).
        done: share of the training at the middle of the step, in (0, 1).
    """
    if done <= warm_up:
        return done / warm_up
    return max(decay.share((done - warm_up) / (1.0 - warm_up)), 0.0)
