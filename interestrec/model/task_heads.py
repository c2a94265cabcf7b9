"""The heads of tasks over the shared towers, all in one product, with a mixture of experts if asked for."""

from collections.abc import Sequence
from typing import Any

from interestrec.model.backend import keras, tf
from interestrec.model.two_tower_config import ModelTask


class TaskHeads(keras.layers.Layer):
    """s_t(u, i) = (k_t ∘ x_ut + q_t)·o_i + p_t·x_ut + c_t sim(u, i) + b_t for each task t.

    Without experts x_ut is x_u. With n experts (MMoE, Ma et al. 2018) x_ut = Σ_e softmax_e(G_t x_u) (x_u + B_e relu(A_e
    x_u + a_e)): tasks that disagree read other experts. Experts are of users alone, so that a catalogue is still scored
    by one product per task. B_e starts at zero and k_t at one, so that a new model predicts its bias.
    """

    def __init__(self, width: int, tasks: Sequence[ModelTask], experts: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width, self.tasks, self.experts = width, tuple(tasks), experts

    def build(self, input_shape: Any = None) -> None:
        """Create the weights."""
        width, count = self.width, len(self.tasks)
        for name, start in (("pair", "ones"), ("user", "zeros"), ("item", "zeros")):
            setattr(self, name, self.add_weight(name=name, shape=(count, width), initializer=start))
        for name in ("scale", "bias", "uncertainty"):  # `uncertainty` is log σ², read by the objective alone
            setattr(self, name, self.add_weight(name=name, shape=(count,), initializer="zeros"))
        self.thresholds = [
            self.add_weight(name=f"thresholds_{n}", shape=(task.thresholds,), initializer="zeros")
            if task.thresholds
            else None
            for n, task in enumerate(self.tasks)
        ]
        if self.experts:
            wide = self.experts * width
            self.expert_first = self.add_weight(name="expert_first", shape=(width, wide))
            self.expert_bias = self.add_weight(name="expert_bias", shape=(wide,), initializer="zeros")
            self.expert_second = self.add_weight(
                name="expert_second", shape=(self.experts, width, width), initializer="zeros"
            )
            self.gate = self.add_weight(name="gate", shape=(width, count * self.experts))
        self.built = True

    def call(self, user: tf.Tensor, items: tf.Tensor, similarity: tf.Tensor) -> tf.Tensor:
        """Return the scores, float32 [users, tasks, candidates].

        Args:
            user: float32 [users, width], x_u.
            items: float32 [users, candidates, width], o_i; [1, candidates, width] if all users share them.
            similarity: float32 [users, candidates], sim(u, i).
        """
        own = self.task_users(user)
        left = own * self.pair + self.item
        if items.shape[0] == 1:
            flat = tf.matmul(tf.reshape(left, [-1, self.width]), items[0], transpose_b=True)
            scores = tf.reshape(flat, [-1, len(self.tasks), tf.shape(items)[1]])
        else:
            scores = tf.matmul(left, items, transpose_b=True)
        base = tf.reduce_sum(own * self.user, axis=-1) + self.bias
        return scores + base[:, :, None] + self.scale[:, None] * similarity[:, None, :]

    def task_users(self, user: tf.Tensor) -> tf.Tensor:
        """Return x_ut, float32 [users, tasks or 1, width], from float32 [users, width]."""
        if not self.experts:
            return user[:, None, :]
        hidden = tf.nn.relu(tf.matmul(user, tf.convert_to_tensor(self.expert_first)) + self.expert_bias)
        hidden = tf.reshape(hidden, [-1, self.experts, self.width])
        found = user[:, None, :] + tf.einsum("uew,ewv->uev", hidden, tf.convert_to_tensor(self.expert_second))
        gates = tf.matmul(user, tf.convert_to_tensor(self.gate))
        share = tf.nn.softmax(tf.reshape(gates, [-1, len(self.tasks), self.experts]), axis=-1)
        return tf.matmul(share, found)

    def thresholds_of(self, number: int) -> tf.Tensor:
        """Return the raw thresholds of a task, float32 [levels - 1], [0] if it has none."""
        found = self.thresholds[number]
        return tf.zeros([0]) if found is None else tf.convert_to_tensor(found)
