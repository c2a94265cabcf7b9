"""The objective of decoders: its loss by hand, that it falls, and that weights come back by their names."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file, save_file

from interestrec.core.errors import ConfigError
from interestrec.model.encoders import load_encoder, read_encoder
from interestrec.pretraining.adaptation import Schedule, adapt
from interestrec.pretraining.next_token_objective import NextTokens, NextTokenSettings
from interestrec.pretraining.passages import Passages
from interestrec.text.text_inputs import TextInputs
from interestrec.text.tokenizer import load_tokenizer
from interestrec.training import device
from interestrec.training.execution import ExecutionSettings
from tests import kin
from tests.model.decoder_oracle import hidden_states
from tests.training.cut_off import fresh

TEXTS = [[0, 10, 11, 12, 2], [0, 20, 21, 2]]


def passages(rows: list[list[int]]) -> Passages:
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    return Passages((TextInputs(offsets, np.concatenate(rows).astype(np.int32), 1),), np.arange(len(rows)))


def with_own_head(directory: Path) -> np.ndarray:
    """Give a decoder a matrix of its own for the next token, as large Llamas have."""
    path = directory / "model.safetensors"
    tensors = load_file(path)
    words = next(value for name, value in tensors.items() if "embed_tokens" in name)
    head = np.random.default_rng(4).normal(size=words.shape).astype(np.float32)
    save_file({**tensors, "lm_head.weight": head}, path)
    return head


@pytest.mark.parametrize(("family", "own"), [("gpt2", False), ("llama", False), ("llama", True)])
def test_the_loss_is_that_of_the_formula(tmp_path: Path, family: str, own: bool) -> None:
    directory = kin.write(tmp_path, family)
    head = with_own_head(directory) if own else None
    encoder = load_encoder(directory)
    task = NextTokens(encoder, load_tokenizer(directory), NextTokenSettings())
    ids, mask = task.batch(passages(TEXTS), np.array([0, 1]), [0])
    totals, _ = task.totals(tf.constant(ids), tf.constant(mask), noise=None)
    config, tensors = json.loads((directory / "config.json").read_text()), load_file(directory / "model.safetensors")
    words = np.asarray(encoder.words)
    expected = 0.0
    for row in TEXTS:
        states = hidden_states(config, tensors, np.array([row]), np.ones((1, len(row))))[0]
        logits = states[:-1] @ (words if head is None else head).T
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        expected -= logits[np.arange(len(row) - 1), row[1:]].sum()
    assert float(totals["next_token"]) == pytest.approx(expected, rel=1e-4)
    assert float(task.counts(ids, tf.constant(mask))["next_token"]) == 7


@pytest.mark.slow
@pytest.mark.parametrize("own", [False, True])
def test_the_held_out_loss_falls_and_all_weights_are_stored(tmp_path: Path, own: bool) -> None:
    device.prepare("cpu", None, 5)
    directory = kin.write(tmp_path, "llama")
    if own:
        with_own_head(directory)
    checkpoint = read_encoder(directory)
    encoder = checkpoint.build()
    task = NextTokens(encoder, load_tokenizer(directory), NextTokenSettings())
    start = np.random.default_rng(0).integers(10, 30, 240).tolist()
    rows = [[0, first, first + 1, first + 2, 2] for first in start]  # each token tells the next
    execution = ExecutionSettings(tf.distribute.get_strategy(), 1)
    found = adapt(task, passages(rows[:200]), passages(rows[200:]), Schedule(30, 16, 5e-3, 0.01, 5), execution, fresh())
    assert found.after["loss"] < 0.95 * found.before["loss"]
    assert found.after["perplexity"] == pytest.approx(np.exp(found.after["loss"]))
    learned = checkpoint.stored({**encoder.export_weights(), **task.head.export()})
    assert ("lm_head.weight" in learned) == own
    before = load_file(directory / "model.safetensors")
    assert learned.keys() == before.keys()
    changed = {name for name, value in learned.items() if not np.array_equal(value, before[name])}
    assert changed == before.keys()
    save_file(dict(learned), directory / "model.safetensors")
    again = load_encoder(directory)
    ids, mask = task.batch(passages(TEXTS), np.array([0, 1]), [0])
    np.testing.assert_array_equal(again(ids, mask).numpy(), encoder(ids, mask).numpy())


def test_encoders_that_look_in_both_directions_are_refused(tiny_encoder: Path) -> None:
    with pytest.raises(ConfigError, match="next_token needs a decoder"):
        NextTokens(load_encoder(tiny_encoder), load_tokenizer(tiny_encoder), NextTokenSettings())
