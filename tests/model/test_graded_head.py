"""The graded head: by hand, without a history, and block by block."""

import numpy as np
import tensorflow as tf

from interestrec.model.graded_head import GradedHead


def head(width: int = 2, rank: int = 2, users: int = 3) -> GradedHead:
    made = GradedHead(width, rank, 0.0, name="graded_head")
    made.build(users)
    return made


def randomised(seed: int = 0) -> GradedHead:
    made, rng = head(), np.random.default_rng(seed)
    for weight in made.trainable_variables:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    return made


def some_users(seed: int = 1) -> list[tf.Tensor]:
    """Id vectors, histories of at most 4 items, intensities and presence of 3 users, the last without a history."""
    rng = np.random.default_rng(seed)
    present = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]], np.float32)
    intensity = rng.random((3, 4)).astype(np.float32) * present
    vectors = (rng.normal(size=shape).astype(np.float32) for shape in ((3, 3), (3, 4, 2)))
    return [tf.constant(part) for part in (*vectors, intensity, present)]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_an_untrained_head_says_how_much_more_a_user_likes_everything() -> None:
    user, history, intensity, present = some_users()
    items = tf.random.stateless_normal((1, 5, 2), seed=(0, 1))
    found = head()(user, history, intensity, present, items).numpy()
    count = present.numpy().sum(axis=1)
    level = ((intensity.numpy() - 0.5) * present.numpy()).sum(axis=1) / (count + 5.0)
    np.testing.assert_allclose(found, np.tile(4.0 * level[:, None], (1, 5)), rtol=1e-5)


def test_the_logit_is_that_of_the_formula() -> None:
    made = randomised()
    user, history, intensity, present = (part.numpy() for part in some_users())
    items = np.random.default_rng(2).normal(size=(3, 5, 2)).astype(np.float32)
    weights = {weight.path.removeprefix("graded_head/"): weight.numpy() for weight in made.trainable_variables}
    kernel = {name: weights[f"{name}/kernel"] for name in ("item_bias", "item_factor", "graded", "occurrence", "key")}
    found = made(*some_users(), tf.constant(items), tf.constant([[0.3]])).numpy()
    for u in range(3):
        n = int(present[u].sum())
        x, r = history[u, :n], intensity[u, :n]
        e = r - sigmoid(weights["mean"] + (x @ kernel["item_bias"])[:, 0])
        d = e.sum() / (n + 5.0)
        taste = user[u] @ weights["user_factor/kernel"]
        taste = (
            taste + ((x @ kernel["graded"]) * (e - d)[:, None] + x @ kernel["occurrence"]).sum(axis=0) / (n + 1) ** 0.5
        )
        for c in range(5):
            v = items[u, c]
            near = np.exp(weights["sharpness"] * (x @ kernel["key"]) @ (v @ kernel["key"]))
            expected = weights["mean"] + 0.3 + weights["user_scale"] * d + (v @ kernel["item_bias"])[0]
            expected += v @ kernel["item_factor"] @ taste
            expected += weights["near_scale"] * (near * (e - d)).sum() / (near.sum() + 1.0)
            np.testing.assert_allclose(found[u, c], expected, rtol=1e-4, atol=1e-5)


def test_padding_says_nothing_and_a_catalogue_may_come_in_blocks() -> None:
    made = randomised()
    user, history, intensity, present = some_users()
    items = tf.random.stateless_normal((1, 6, 2), seed=(3, 4))
    whole = made(user, history, intensity, present, items).numpy()
    blocks = [made(user, history, intensity, present, items[:, n : n + 2]).numpy() for n in (0, 2, 4)]
    np.testing.assert_allclose(np.concatenate(blocks, axis=1), whole, rtol=1e-5, atol=1e-6)
    noise = (1 - present[..., None]) * 9.0
    other = made(user, history + noise, intensity + noise[..., 0], present, items).numpy()
    np.testing.assert_allclose(other, whole, rtol=1e-5, atol=1e-6)


def test_large_likenesses_stay_finite() -> None:
    made = randomised()
    _, history, intensity, present = some_users()
    items = 1e4 * tf.random.stateless_normal((1, 6, 2), seed=(3, 4))
    assert np.isfinite(made._near(history * 100.0, intensity, present, items).numpy()).all()


def test_a_taste_for_unlike_items_is_learned_from_intensities_alone() -> None:
    """Two kinds of items; users like one of them, so that equal occurrences need different predictions."""
    rng = np.random.default_rng(5)
    made, optimizer = head(users=1), tf.keras.optimizers.Adam(0.05)
    kind, candidate = rng.integers(0, 2, (400, 6)), rng.integers(0, 2, (400, 1))
    likes = rng.integers(0, 2, (400, 1))
    vectors, items = (tf.one_hot(x, 2) for x in (kind, candidate))
    intensity, label = (tf.constant((x == likes).astype(np.float32)) for x in (kind, candidate))

    def loss() -> tf.Tensor:
        logits = made(tf.zeros((400, 1)), vectors, intensity, tf.ones((400, 6)), items)
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(label, logits))

    start = float(loss())
    for _ in range(150):
        with tf.GradientTape() as tape:
            value = loss()
        gradients = tape.gradient(value, made.trainable_variables, unconnected_gradients="zero")
        optimizer.apply_gradients(zip(gradients, made.trainable_variables, strict=True))
    assert start > 0.5 > 0.2 > float(loss())
