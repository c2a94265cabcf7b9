"""Stateless random numbers for training: functions of a seed, with no generator state to save.

A seed is an int32 [2] tensor; None means no noise, as in evaluation. All randomness of a step is a function of the
run's seed, the step and the replica, so a run that resumes from a checkpoint draws the same numbers.
"""

from __future__ import annotations

from typing import TypeAlias

from interestrec.model.backend import tf

Noise: TypeAlias = "tf.Tensor | None"


def branch(noise: Noise, number: int | tf.Tensor) -> Noise:
    """Derive the seed of part `number` from a seed."""
    return None if noise is None else tf.random.fold_in(noise, number)


def dropout(x: tf.Tensor, rate: float, noise: Noise) -> tf.Tensor:
    """Set values to zero with probability `rate` and scale the rest by 1 / (1 - rate) (Srivastava et al. 2014)."""
    if noise is None or rate == 0:
        return x
    return tf.nn.experimental.stateless_dropout(x, rate, noise, rng_alg="philox")


def uniform(shape: tf.Tensor | tuple[int, ...], noise: tf.Tensor) -> tf.Tensor:
    """Draw float32 values of a shape, uniform in [0, 1)."""
    return tf.random.stateless_uniform(shape, noise, alg="philox")
