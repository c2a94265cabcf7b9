"""Random numbers of training as a function of a seed: nothing to save, and other numbers wherever the seed is another.

A seed is an int32 [2] tensor; None means no noise, as in evaluation. What is random in a step is then a function of
the run's seed, the step and the replica, and a run that goes on from a checkpoint draws what it would have drawn.
"""

from __future__ import annotations

from typing import TypeAlias

from interestrec.model.backend import tf

Noise: TypeAlias = "tf.Tensor | None"


def branch(noise: Noise, number: int | tf.Tensor) -> Noise:
    """A seed of its own for part `number` of what a seed is given to."""
    return None if noise is None else tf.random.fold_in(noise, number)


def dropout(x: tf.Tensor, rate: float, noise: Noise) -> tf.Tensor:
    """Zeros with probability `rate`, the rest scaled by 1 / (1 - rate) (Srivastava et al. 2014)."""
    if noise is None or rate == 0:
        return x
    return tf.nn.experimental.stateless_dropout(x, rate, noise, rng_alg="philox")


def uniform(shape: tf.Tensor | tuple[int, ...], noise: tf.Tensor) -> tf.Tensor:
    """float32 of the given shape, uniform in [0, 1)."""
    return tf.random.stateless_uniform(shape, noise, alg="philox")
