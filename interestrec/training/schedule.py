"""Learning rates and which weights decay."""

import keras
import tensorflow as tf

_WARM_UP = 0.1  # share of the steps


class WarmUpLinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """From 0 to `peak` over the first tenth of the steps, then linearly to 0 (Devlin et al. 2019, appendix A)."""

    def __init__(self, peak: float, steps: int) -> None:
        self.peak = peak
        self.steps = max(steps, 1)
        self.warm_up = max(int(_WARM_UP * self.steps), 1)

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """The rate at a step: float32 scalar."""
        at = tf.cast(step, tf.float32)
        rising = (at + 1.0) / self.warm_up
        falling = (self.steps - at) / max(self.steps - self.warm_up, 1)
        return self.peak * tf.clip_by_value(tf.minimum(rising, falling), 0.0, 1.0)

    def get_config(self) -> dict[str, float]:
        """Arguments to build an equal schedule."""
        return {"peak": self.peak, "steps": self.steps}


def adamw(variables: list[tf.Variable], peak: float, steps: int, weight_decay: float) -> keras.optimizers.AdamW:
    """AdamW (Loshchilov and Hutter 2019) over the given weights, without decay on vectors and scalars: biases,
    LayerNorm, scales. The gradient's norm is cut at 1."""
    optimizer = keras.optimizers.AdamW(
        learning_rate=WarmUpLinearDecay(peak, steps), weight_decay=weight_decay, global_clipnorm=1.0
    )
    optimizer.exclude_from_weight_decay(var_list=[v for v in variables if len(v.shape) < 2])
    optimizer.build(variables)
    return optimizer
