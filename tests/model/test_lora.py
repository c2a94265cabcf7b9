"""Adapters beside frozen matrices: what they change, what learns, what is exported."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from interestrec.model.bert import Bert
from interestrec.model.bert_layer import MATRICES
from interestrec.model.bert_tensors import assign, export, export_layers
from interestrec.training.finetune_settings import LoraSettings
from interestrec.training.optimizer import AdamW, WeightGroup
from tests.kin import load_bert

IDS = np.array([[2, 9, 10, 3], [2, 7, 3, 0]], np.int32)
MASK = np.array([[1, 1, 1, 1], [1, 1, 1, 0]], np.float32)
QKV, ALL = LoraSettings(rank=4, alpha=8.0), LoraSettings(rank=4, alpha=8.0, targets=list(MATRICES))


def hidden(bert: Bert) -> np.ndarray:
    return bert(IDS, MASK).numpy()


def adapted(encoder: Path, lora: LoraSettings, layers: int = 2) -> tuple[Bert, list[tf.Variable]]:
    """An encoder whose adapters have learned something, and their weights."""
    bert = load_bert(encoder)
    weights = [v for group in bert.unfreeze(layers, lora, seed=1) for v in group]
    rng = np.random.default_rng(0)
    for weight in weights:
        weight.assign(rng.normal(0, 0.3, weight.shape))
    return bert, weights


@pytest.mark.parametrize("lora", [QKV, ALL])
def test_adapters_start_without_effect(tiny_encoder: Path, lora: LoraSettings) -> None:
    bert = load_bert(tiny_encoder)
    before = hidden(bert)
    weights = bert.unfreeze(2, lora, seed=1)
    np.testing.assert_array_equal(hidden(bert), before)
    assert [len(group) for group in weights] == [2 * len(lora.targets)] * 2
    firsts = [group[0].numpy() for group in weights]
    assert firsts[0].shape == (16, 4)
    assert not np.array_equal(*firsts)  # no two adapters start alike
    again = load_bert(tiny_encoder).unfreeze(2, lora, seed=1)
    np.testing.assert_array_equal(again[1][0].numpy(), firsts[1])


def test_only_adapters_of_the_top_layers_move(tiny_encoder: Path) -> None:
    bert = load_bert(tiny_encoder)
    learning = [v.value for group in bert.unfreeze(1, ALL, seed=1) for v in group]
    before, output = [v.numpy() for v in bert.weights], hidden(bert)
    optimizer = AdamW([WeightGroup(learning, 0.05)], 0.01, 1.0)
    strategy = tf.distribute.get_strategy()
    for number in (1, 2):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(bert(IDS, MASK)[:, :, 0])
        gradients = tape.gradient(loss, learning)
        strategy.run(optimizer.apply, args=(gradients, tf.constant(number), tf.constant(1.0)))
    moved = [v.path for v, old in zip(bert.weights, before, strict=True) if not np.array_equal(v.numpy(), old)]
    assert len(moved) == 8
    assert all("lora" in path for path in moved)
    assert bert.blocks[0].lora is None
    assert np.abs(hidden(bert) - output).max() > 1e-2


@pytest.mark.parametrize("lora", [QKV, ALL])
def test_what_is_exported_gives_the_output_of_the_adapted_network(tiny_encoder: Path, lora: LoraSettings) -> None:
    bert, _ = adapted(tiny_encoder, lora)
    plain = load_bert(tiny_encoder)
    original = export(plain)
    output = hidden(bert)
    assert np.abs(output - hidden(plain)).max() > 0.1
    assign(plain, export(bert))
    np.testing.assert_allclose(hidden(plain), output, atol=1e-5)
    for name, value in export_layers(bert, [0, 1]).items():
        module = name.split(".", 3)[3]
        dense = name.endswith(".weight") and "LayerNorm" not in name
        qkv = any(part in module for part in ("query", "key", "value"))
        assert np.array_equal(value, original[name]) != (dense and (qkv or lora is ALL)), name


def test_the_adapter_counts_alpha_over_rank_times(tiny_encoder: Path) -> None:
    bert, weights = adapted(tiny_encoder, QKV, layers=1)
    block = bert.blocks[1]
    kernel, (first, second) = block.qkv_kernel.numpy(), [w.numpy() for w in weights]
    np.testing.assert_allclose(block.merged_kernel("qkv"), kernel + 8 / 4 * first @ second, rtol=1e-6)
    np.testing.assert_array_equal(block.merged_kernel("up"), block.up_kernel.numpy())


def test_export_leaves_the_weights_untouched(tiny_encoder: Path) -> None:
    bert, _ = adapted(tiny_encoder, ALL)
    before, output = [v.numpy() for v in bert.weights], hidden(bert)
    export(bert)
    for variable, old in zip(bert.weights, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), old)
    np.testing.assert_array_equal(hidden(bert), output)
