"""Optimizer steps over global batches on the devices of a strategy; nothing else updates weights."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from interestrec.model.backend import tf
from interestrec.training.distribution import local_replicas
from interestrec.training.optimizer import AdamW

Arrays = tuple[np.ndarray, ...]
_MAX_ROWS_IN_MESSAGE = 10  # of a batch without a finite loss


class Objective(Protocol):
    """Losses to minimise: per name, the total divided by the count over the global batch."""

    @property
    def signature(self) -> tuple[tf.TensorSpec, ...]:
        """Shapes and types of the arrays of a slice."""

    def counts(self, *inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the count of each loss in a slice, float32 scalars; a function of labels alone."""

    def totals(self, *inputs: tf.Tensor, noise: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Return each loss's differentiable sum over a slice, and any tensor for the caller of the step.

        Args:
            noise: seed of the randomness in the slice.
        """


class Engine:
    """Performs optimizer steps.

    A global batch consists of `accumulate` slices per replica. A replica processes its slices one after another and
    sums their gradients, so that memory is bounded by one slice."""

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        objective: Objective,
        weights: Mapping[str, float],
        optimizer: AdamW,
        accumulate: int,
        seed: int,
    ) -> None:
        """`weights` are the weights of the losses in their sum."""
        self.strategy = strategy
        self.objective = objective
        self.weights = weights
        self.optimizer = optimizer
        self.accumulate = accumulate
        self.seed = seed
        self.replicas = strategy.num_replicas_in_sync
        replicas = local_replicas(strategy)
        self.slices = self.replicas * accumulate  # of a global batch
        self.local_slices = range(replicas.start * accumulate, replicas.stop * accumulate)  # of this process
        scalar = tf.TensorSpec([], tf.int32)
        signature = (
            tuple(objective.signature for _ in self.local_slices),
            scalar,
            scalar,
            tf.TensorSpec([], tf.float32),
        )
        self._step = tf.function(self._run, input_signature=signature, autograph=False)

    def step(
        self, slices: Sequence[Arrays], number: int, optimizer_step: int, rate: float
    ) -> tuple[dict[str, float], list[np.ndarray]]:
        """Perform one step on this process's slices.

        Args:
            slices: arrays of the slices in `local_slices`.
            number: of the step in the run; it seeds the step's randomness.
            optimizer_step: number of the step since the optimizer was created, from 1.
            rate: share of the peak learning rates.

        Returns:
            `loss`, `loss_<name>` and `gradient_norm` over the global batch, and the objective's
            extra tensor of every slice.
        """
        tensors = tuple(tuple(tf.constant(array) for array in arrays) for arrays in slices)
        figures, extras = self._step(
            tensors, tf.constant(number), tf.constant(optimizer_step), tf.constant(rate, tf.float32)
        )
        values = {name: float(self.strategy.experimental_local_results(v)[0]) for name, v in figures.items()}
        # One tuple per replica, with one tensor per slice.
        replicas = zip(*(self.strategy.experimental_local_results(tensor) for tensor in extras), strict=True)
        return values, [tensor.numpy() for replica in replicas for tensor in replica]

    def is_finite(self, figures: Mapping[str, float]) -> bool:
        """Whether the figures of a step are finite. With loss scaling a gradient may overflow; the optimizer then skips
        the step."""
        checked = [v for name, v in figures.items() if name != "gradient_norm" or self.optimizer.scale is None]
        return bool(np.isfinite(checked).all())

    def _run(self, slices: Any, number: tf.Tensor, optimizer_step: tf.Tensor, rate: tf.Tensor) -> Any:
        return self.strategy.run(self._replica, args=(slices, number, optimizer_step, rate))

    def _replica(self, slices: Any, number: tf.Tensor, optimizer_step: tf.Tensor, rate: tf.Tensor) -> Any:
        replica = int(tf.get_static_value(tf.distribute.get_replica_context().replica_id_in_sync_group))
        start = replica * self.accumulate - self.local_slices.start
        replica_slices = slices[start : start + self.accumulate]
        counts_by_slice = [self.objective.counts(*inputs) for inputs in replica_slices]
        counts = self._sum_over_replicas(
            {name: tf.add_n([counts[name] for counts in counts_by_slice]) for name in self.weights}
        )
        variables = self.optimizer.variables
        gradients: list[list[tf.Tensor]] = []
        totals: list[dict[str, tf.Tensor]] = []
        extras: list[tf.Tensor] = []
        for position, inputs in enumerate(replica_slices):
            noise = tf.random.fold_in(tf.stack([self.seed, number]), replica * self.accumulate + position)
            # One slice after another; otherwise the graph would hold the activations of all slices at once.
            with tf.control_dependencies(gradients[-1] if gradients else []):
                inputs = [tf.identity(tensor) for tensor in inputs]
            with tf.GradientTape() as tape:
                sums, extra = self.objective.totals(*inputs, noise=noise)
                means = {name: sums[name] / tf.maximum(counts[name], 1.0) for name in self.weights}
                loss = tf.add_n([weight * means[name] for name, weight in self.weights.items()])
                scaled = self.optimizer.scale_loss(loss)
            slice_gradients = tape.gradient(scaled, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            gradients.append([tf.convert_to_tensor(gradient) for gradient in slice_gradients])
            totals.append({"loss": loss, **{f"loss_{name}": mean for name, mean in means.items()}})
            extras.append(extra)
        figures = self._sum_over_replicas({name: tf.add_n([total[name] for total in totals]) for name in totals[0]})
        summed = self._sum_over_replicas(
            dict(enumerate(tf.add_n(list(parts)) for parts in zip(*gradients, strict=True)))
        )
        figures["gradient_norm"] = self.optimizer.apply(list(summed.values()), optimizer_step, rate)
        return figures, tuple(extras)

    def _sum_over_replicas(self, values: dict[Any, tf.Tensor]) -> dict[Any, tf.Tensor]:
        """Sum values over the replicas."""
        if self.replicas == 1:
            return values
        context = tf.distribute.get_replica_context()
        return dict(zip(values, context.all_reduce(tf.distribute.ReduceOp.SUM, list(values.values())), strict=True))


def format_rows(rows: np.ndarray) -> str:
    """Format row numbers for a message, at most ten of them."""
    return ", ".join(map(str, rows[:_MAX_ROWS_IN_MESSAGE])) + (", …" if len(rows) > _MAX_ROWS_IN_MESSAGE else "")
