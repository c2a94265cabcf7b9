"""Masked-language-model training: it learns, repeats itself, and stops at what is not finite."""

from pathlib import Path

import numpy as np
import pytest

from interestrec.core.errors import ArtifactError, NumericError
from interestrec.model.bert_tensors import export
from interestrec.model.masked_lm import MaskedLmHead
from interestrec.pretraining.adaptation import AdaptationResult, Schedule, adapt
from interestrec.pretraining.masked_objective import MaskedObjectiveSettings, MaskedTokens
from interestrec.pretraining.passages import Passages
from interestrec.text.text_inputs import TextInputs
from interestrec.text.tokenizer import load_tokenizer
from interestrec.training import device
from interestrec.training.training_checkpoint import CheckpointStore
from tests.kin import load_bert
from tests.training.running import execution

pytestmark = pytest.mark.slow


def passages(count: int, seed: int) -> Passages:
    """Sentences that repeat one of four words: a masked one can be told from the others."""
    rng = np.random.default_rng(seed)
    rows = [[2, *([word] * 8), 3] for word in rng.integers(10, 14, count)]
    texts = TextInputs(np.arange(count + 1) * 10, np.concatenate(rows).astype(np.int32), 0)
    return Passages((texts,), np.arange(count))


def run(
    encoder: Path, steps: int = 60, rate: float = 5e-3, checkpoints: CheckpointStore | None = None
) -> tuple[AdaptationResult, dict[str, np.ndarray]]:
    device.prepare("cpu", None, 5)
    checkpoints = checkpoints or CheckpointStore(Path("nowhere"), float("inf"))
    bert = load_bert(encoder)
    plan = Schedule(steps, 16, rate, 0.01, seed=5)
    objective = MaskedTokens(bert, load_tokenizer(encoder), MaskedObjectiveSettings())
    adapted = adapt(objective, passages(100, 0), passages(20, 1), plan, execution(), checkpoints)
    return adapted, export(bert)


def test_the_held_out_loss_falls_and_a_second_run_is_the_same(tiny_encoder: Path) -> None:
    first, weights = run(tiny_encoder)
    assert first.after["loss"] < 0.6 * first.before["loss"]
    assert len(first.losses) == 60
    second, again = run(tiny_encoder)
    assert second == first
    for name, value in weights.items():
        np.testing.assert_array_equal(again[name], value)


def test_a_loss_that_is_not_finite(tiny_encoder: Path) -> None:
    with pytest.raises(NumericError, match="not finite at step"):
        run(tiny_encoder, steps=20, rate=1e30)


def test_a_head_is_taken_from_a_checkpoint_that_has_one(tiny_encoder: Path) -> None:
    head = MaskedLmHead(load_bert(tiny_encoder))
    exported = {name: value + 1 for name, value in head.export().items()}
    other = MaskedLmHead(load_bert(tiny_encoder))
    assert other.assign(exported)
    for name, value in other.export().items():
        np.testing.assert_array_equal(value, exported[name])
    assert not other.assign({})


@pytest.mark.parametrize("name", ["cls.predictions.bias", "cls.predictions.transform.dense.weight"])
def test_a_misshapen_head_is_named(tiny_encoder: Path, name: str) -> None:
    head = MaskedLmHead(load_bert(tiny_encoder))
    exported = head.export()
    exported[name] = exported[name][:3]
    with pytest.raises(ArtifactError, match=name):
        head.assign(exported)
