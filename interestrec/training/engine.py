"""One optimizer step over a global batch, on whatever devices a strategy has: the only place where weights move."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from interestrec.model.backend import tf
from interestrec.training.distribution import local_replicas
from interestrec.training.optimizer import AdamW

Arrays = tuple[np.ndarray, ...]
_MAX_ROWS_IN_MESSAGE = 10  # examples of a broken batch that a message tells


class Objective(Protocol):
    """What is minimised: for each name the sum over what it counts, divided by the count in the whole global batch."""

    @property
    def signature(self) -> tuple[tf.TensorSpec, ...]:
        """Shapes and types of a slice's arrays."""

    def counts(self, *inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """How much each loss counts in a slice, float32 scalars; a function of labels alone."""

    def totals(self, *inputs: tf.Tensor, noise: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Each loss's sum over a slice, differentiable, and any tensor that the caller of the step wants to see.

        Args:
            noise: seed of what is random in the slice.
        """


class Engine:
    """Takes steps. A global batch comes as slices, one after another for each replica: `accumulate` of them are worked
    on in turn before the gradients of all are added up, so that memory is bounded by one slice."""

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        objective: Objective,
        weights: Mapping[str, float],
        optimizer: AdamW,
        accumulate: int,
        seed: int,
    ) -> None:
        """`weights` are those of the losses in their sum."""
        self.strategy = strategy
        self.objective = objective
        self.weights = weights
        self.optimizer = optimizer
        self.accumulate = accumulate
        self.seed = seed
        self.replicas = strategy.num_replicas_in_sync
        here = local_replicas(strategy)
        self.slices = self.replicas * accumulate  # of a global batch
        self.local_slices = range(here.start * accumulate, here.stop * accumulate)  # that this process works on
        scalar = tf.TensorSpec([], tf.int32)
        signature = (
            tuple(objective.signature for _ in self.local_slices),
            scalar,
            scalar,
            tf.TensorSpec([], tf.float32),
        )
        self._step = tf.function(self._run, input_signature=signature, autograph=False)

    def step(
        self, slices: Sequence[Arrays], number: int, within: int, rate: float
    ) -> tuple[dict[str, float], list[np.ndarray]]:
        """One step on this process's slices.

        Args:
            slices: arrays of the slices in `local_slices`.
            number: of the step in the whole run; seeds what is random in it.
            within: the step's number within what the optimizer is for, from 1.
            rate: share of the peak learning rates.

        Returns:
            `loss`, `loss_<name>` and `gradient_norm` over the global batch, and of every slice what the objective
            wants seen.
        """
        tensors = tuple(tuple(tf.constant(array) for array in arrays) for arrays in slices)
        measured, seen = self._step(tensors, tf.constant(number), tf.constant(within), tf.constant(rate, tf.float32))
        values = {name: float(self.strategy.experimental_local_results(v)[0]) for name, v in measured.items()}
        # One tuple a replica, of one tensor a slice.
        replicas = zip(*(self.strategy.experimental_local_results(tensor) for tensor in seen), strict=True)
        return values, [tensor.numpy() for replica in replicas for tensor in replica]

    def is_finite(self, measured: Mapping[str, float]) -> bool:
        """Whether what `step` gave can be trained on. With a scaled loss a gradient may overflow: the optimizer leaves
        that step out."""
        looked_at = [v for name, v in measured.items() if name != "gradient_norm" or self.optimizer.scale is None]
        return bool(np.isfinite(looked_at).all())

    def _run(self, slices: Any, number: tf.Tensor, within: tf.Tensor, rate: tf.Tensor) -> Any:
        return self.strategy.run(self._replica, args=(slices, number, within, rate))

    def _replica(self, slices: Any, number: tf.Tensor, within: tf.Tensor, rate: tf.Tensor) -> Any:
        place = int(tf.get_static_value(tf.distribute.get_replica_context().replica_id_in_sync_group))
        start = place * self.accumulate - self.local_slices.start
        replica_slices = slices[start : start + self.accumulate]
        counted = [self.objective.counts(*inputs) for inputs in replica_slices]
        counts = self._sum_over_replicas({name: tf.add_n([one[name] for one in counted]) for name in self.weights})
        variables = self.optimizer.variables
        gradients: list[list[tf.Tensor]] = []
        totals: list[dict[str, tf.Tensor]] = []
        seen: list[tf.Tensor] = []
        for position, inputs in enumerate(replica_slices):
            noise = tf.random.fold_in(tf.stack([self.seed, number]), place * self.accumulate + position)
            # One slice after the other: a graph would else hold the activations of all of them at once.
            with tf.control_dependencies(gradients[-1] if gradients else []):
                inputs = [tf.identity(tensor) for tensor in inputs]
            with tf.GradientTape() as tape:
                sums, extra = self.objective.totals(*inputs, noise=noise)
                means = {name: sums[name] / tf.maximum(counts[name], 1.0) for name in self.weights}
                loss = tf.add_n([weight * means[name] for name, weight in self.weights.items()])
                scaled = self.optimizer.scale_loss(loss)
            found = tape.gradient(scaled, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            gradients.append([tf.convert_to_tensor(gradient) for gradient in found])
            totals.append({"loss": loss, **{f"loss_{name}": mean for name, mean in means.items()}})
            seen.append(extra)
        measured = self._sum_over_replicas({name: tf.add_n([one[name] for one in totals]) for name in totals[0]})
        summed = self._sum_over_replicas(
            dict(enumerate(tf.add_n(list(parts)) for parts in zip(*gradients, strict=True)))
        )
        measured["gradient_norm"] = self.optimizer.apply(list(summed.values()), within, rate)
        return measured, tuple(seen)

    def _sum_over_replicas(self, values: dict[Any, tf.Tensor]) -> dict[Any, tf.Tensor]:
        """Sums over the replicas."""
        if self.replicas == 1:
            return values
        context = tf.distribute.get_replica_context()
        return dict(zip(values, context.all_reduce(tf.distribute.ReduceOp.SUM, list(values.values())), strict=True))


def format_rows(rows: np.ndarray) -> str:
    """Numbers for a message, at most ten of them."""
    return ", ".join(map(str, rows[:_MAX_ROWS_IN_MESSAGE])) + (", …" if len(rows) > _MAX_ROWS_IN_MESSAGE else "")
