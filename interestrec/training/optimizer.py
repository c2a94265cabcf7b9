"""AdamW over groups of weights with separate rates, equal on one device and on many."""

from collections.abc import Sequence
from dataclasses import dataclass

from interestrec.model.backend import tf

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-7
_FIRST_SCALE = 2.0**15  # of float16's loss; halved after a gradient overflow
_STEPS_TO_DOUBLE = 2000


@dataclass(frozen=True)
class WeightGroup:
    """Weights that learn at one peak rate."""

    variables: Sequence[tf.Variable]
    rate: float


class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019) and clipping by the norm over all groups.

    Vectors and scalars (biases, LayerNorm, scales) do not decay. With loss scaling, for float16, a step whose gradient
    overflows is skipped and halves the scale (Micikevicius et al. 2018).
    """

    def __init__(
        self, groups: Sequence[WeightGroup], weight_decay: float, clip: float, loss_scaling: bool = False
    ) -> None:
        """Create the state within the scope of the strategy that runs the optimizer.

        Args:
            clip: maximum norm of the gradient.
            loss_scaling: whether the loss is scaled, for float16.
        """
        self.variables = [variable for group in groups for variable in group.variables]
        self.rates = [group.rate for group in groups for _ in group.variables]
        self.decays = [weight_decay if len(variable.shape) > 1 else 0.0 for variable in self.variables]
        self.clip = clip
        self.first_moments = [_zeros(variable) for variable in self.variables]
        self.second_moments = [_zeros(variable) for variable in self.variables]
        self.scale = tf.Variable(_FIRST_SCALE, trainable=False) if loss_scaling else None
        self.steps_since_overflow = tf.Variable(0.0, trainable=False) if loss_scaling else None

    @property
    def state(self) -> list[tf.Variable]:
        """The variables that a checkpoint stores."""
        return [
            *self.first_moments,
            *self.second_moments,
            *(v for v in (self.scale, self.steps_since_overflow) if v is not None),
        ]

    def scale_loss(self, loss: tf.Tensor) -> tf.Tensor:
        """Return the scaled loss, which is to be differentiated."""
        return loss if self.scale is None else loss * self.scale

    def apply(self, gradients: Sequence[tf.Tensor], step: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
        """Update the weights in a replica's context by the gradients of scaled losses, summed over the replicas.

        Args:
            step: int32 scalar, number of the optimizer's step, from 1.
            rate: float32 scalar, share of the peak rates.

        Returns:
            The gradient's norm before clipping, float32 scalar.
        """
        if self.scale is not None:
            gradients = [gradient / self.scale for gradient in gradients]
        norm = tf.linalg.global_norm(gradients)
        factor = self.clip / tf.maximum(norm, self.clip)
        t = tf.cast(step, tf.float32)
        corrected_rate = rate * tf.sqrt(1.0 - tf.pow(_BETA_2, t)) / (1.0 - tf.pow(_BETA_1, t))
        context = tf.distribute.get_replica_context()
        context.merge_call(
            self._update, args=([gradient * factor for gradient in gradients], norm, rate, corrected_rate)
        )
        return norm

    def _update(
        self,
        strategy: tf.distribute.Strategy,
        gradients: Sequence[tf.Tensor],
        norm: tf.Tensor,
        rate: tf.Tensor,
        corrected_rate: tf.Tensor,
    ) -> None:
        places = zip(
            self.variables, self.first_moments, self.second_moments, gradients, self.rates, self.decays, strict=True
        )
        for variable, first, second, gradient, peak, decay in places:
            arguments = (first, second, gradient, norm, rate, corrected_rate)
            options = {"peak": peak, "decay": decay, "skip_overflow": self.scale is not None}
            strategy.extended.update(variable, _adam, args=arguments, kwargs=options, group=False)
        if self.scale is not None and self.steps_since_overflow is not None:
            strategy.extended.update(self.scale, _rescale, args=(self.steps_since_overflow, norm), group=False)


def _zeros(variable: tf.Variable) -> tf.Variable:
    return tf.Variable(tf.zeros(variable.shape, variable.dtype), trainable=False)


def _adam(
    variable: tf.Variable,
    first: tf.Variable,
    second: tf.Variable,
    gradient: tf.Tensor,
    norm: tf.Tensor,
    rate: tf.Tensor,
    corrected_rate: tf.Tensor,
    peak: float,
    decay: float,
    skip_overflow: bool,
) -> None:
    """Update one weight in one pass over its memory (Kingma and Ba 2015, the reordered form of section 2)."""

    def step() -> tf.Tensor:
        if decay:
            variable.assign_sub(variable * (decay * peak * rate))
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=first.handle,
            v=second.handle,
            beta1_power=0.0,  # `corrected_rate` contains both powers
            beta2_power=0.0,
            lr=peak * corrected_rate,
            beta1=_BETA_1,
            beta2=_BETA_2,
            epsilon=_EPSILON,
            grad=gradient,
        )
        return tf.constant(True)

    if skip_overflow:
        tf.cond(tf.math.is_finite(norm), step, lambda: tf.constant(False))
    else:
        step()


def _rescale(scale: tf.Variable, steps_since_overflow: tf.Variable, norm: tf.Tensor) -> None:
    """Halve the scale after an overflow; double it after _STEPS_TO_DOUBLE steps without one."""
    finite = tf.math.is_finite(norm)
    steps = tf.where(finite, steps_since_overflow + 1.0, 0.0)
    double = steps >= _STEPS_TO_DOUBLE
    scale.assign(tf.where(finite, tf.where(double, scale * 2.0, scale), tf.maximum(scale / 2.0, 1.0)))
    steps_since_overflow.assign(tf.where(double, 0.0, steps))
