"""The next-item model: against an independent forward pass, and what it may and may not look at."""

import numpy as np

from interestrec.model.next_item import NextItem, NextItemConfig
from interestrec.model.next_item_arrays import NextItemArrays

CONFIG = NextItemConfig(items=7, gaps=4, length=5, width=6, blocks=2, heads=2)


def model() -> NextItem:
    made = NextItem(CONFIG, seed=3)
    rng = np.random.default_rng(0)  # also LayerNorm and biases, which begin at 1 and 0
    made.assign_weights({name: rng.normal(0, 0.5, a.shape).astype("f") for name, a in made.export_weights().items()})
    return made


def norm(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-6) * gamma + beta


def by_hand(weights: dict[str, np.ndarray], history: list[list[int]], gaps: list[int]) -> np.ndarray:
    """One history in float64, one step and one head at a time; [steps, width]."""
    w = {name: a.astype(np.float64) for name, a in weights.items()}
    x = np.stack([w["items"][step].mean(axis=0) for step in history]) + w["positions"][: len(gaps)] + w["gaps"][gaps]
    for block in ("block_0.", "block_1."):
        b = {name.removeprefix(block): a for name, a in w.items() if name.startswith(block)}
        query, key, value = np.split(
            norm(x, b["attention_gamma"], b["attention_beta"]) @ b["qkv_kernel"] + b["qkv_bias"], 3, axis=1
        )
        context = np.zeros_like(x)
        for step in range(len(x)):
            for head in (slice(0, 3), slice(3, 6)):
                score = np.exp(key[: step + 1, head] @ query[step, head] / np.sqrt(3))
                context[step, head] = score / score.sum() @ value[: step + 1, head]
        x = x + context @ b["output_kernel"] + b["output_bias"]
        up = norm(x, b["feed_forward_gamma"], b["feed_forward_beta"]) @ b["up_kernel"] + b["up_bias"]
        gelu = 0.5 * up * (1 + np.tanh(np.sqrt(2 / np.pi) * (up + 0.044715 * up**3)))
        x = x + gelu @ b["down_kernel"] + b["down_bias"]
    return norm(x, w["gamma"], w["beta"])


def run(made: NextItem, histories: list[list[list[int]]], gaps: list[list[int]], length: int) -> np.ndarray:
    flat = [(n * length + s, i) for n, h in enumerate(histories) for s, step in enumerate(h) for i in step]
    step, items = (np.array(column, np.int32) for column in zip(*flat, strict=True))
    padded = np.array([row + [0] * (length - len(row)) for row in gaps], np.int32)
    return made(items, step, padded).numpy()


def test_the_forward_pass_is_that_of_another_implementation() -> None:
    made, history, gaps = model(), [[1], [2, 5, 6], [1], [0, 3]], [0, 3, 1, 2]
    expected = by_hand(made.export_weights(), history, gaps)
    np.testing.assert_allclose(run(made, [history], [gaps], 4)[0], expected, rtol=1e-4, atol=1e-5)


def test_later_steps_do_not_change_earlier_outputs() -> None:
    made = model()
    a = run(made, [[[1], [2], [3, 4]]], [[0, 1, 2]], 3)
    b = run(made, [[[1], [2], [6]]], [[0, 1, 3]], 3)
    np.testing.assert_allclose(a[0, :2], b[0, :2], rtol=1e-5, atol=1e-6)
    assert np.abs(a[0, 2] - b[0, 2]).max() > 1e-3


def test_padding_and_other_histories_change_nothing() -> None:
    made, short, long = model(), [[1], [2, 3]], [[4], [5], [6], [0], [1]]
    alone = run(made, [short], [[0, 2]], 2)[0]
    together = run(made, [long, short], [[0, 1, 2, 3, 1], [0, 2]], 5)[1, :2]
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)


def test_the_last_outputs_without_tensorflow() -> None:
    """Also of one step alone, of a step without items, and of histories that end before the padding."""
    made = model()
    items, step = np.array([1, 2, 4, 0, 3, 3], np.int32), np.array([0, 1, 1, 4, 8, 9], np.int32)
    gaps = np.array([[0, 2, 0, 0], [0, 0, 0, 0], [1, 3, 0, 0]], np.int32)
    whole = made(items, step, gaps).numpy()
    last = np.array([1, 0, 2])
    found = NextItemArrays(made.export_weights(), 2).last_outputs(items, step, gaps, last)
    np.testing.assert_allclose(found, whole[np.arange(3), last], rtol=1e-5, atol=1e-6)


def test_weights_survive_export() -> None:
    made, other = model(), NextItem(CONFIG, seed=9)
    other.assign_weights(made.export_weights())
    for name, value in made.export_weights().items():
        np.testing.assert_array_equal(other.export_weights()[name], value)


def test_the_initial_weights_depend_on_the_seed_alone() -> None:
    first, again, other = (NextItem(CONFIG, seed).export_weights() for seed in (1, 1, 2))
    for name, value in first.items():
        np.testing.assert_array_equal(again[name], value)
    assert not np.array_equal(first["items"], other["items"])
