"""Encoders of BERT's kin through the stages that learn."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from interestrec.pretraining import masked_objective
from interestrec.stages import finetune, pretrain_adapt
from interestrec.text.masking import IGNORED, mask_tokens
from tests import kin
from tests.kin import load_bert
from tests.stages.learning import ADAPTATION, workspace

pytestmark = pytest.mark.slow

WORDS = "embeddings.word_embeddings.weight"
CHOSEN = {"epochs": 1, "history_epochs": 0, "hidden": [8], "negatives": {"count": 2}, "trainable_layers": 1}


ALBERT = "encoder.albert_layer_groups.0.albert_layers.0"


@pytest.mark.parametrize(
    ("family", "prefix", "layer", "bias"),
    [
        ("roberta", True, "encoder.layer.1", "lm_head.bias"),
        ("distilbert", False, "transformer.layer.1", "vocab_projector.bias"),
        ("electra", True, "encoder.layer.1", "generator_lm_head.bias"),
        ("albert", False, ALBERT, "predictions.bias"),
        ("mpnet", True, "encoder.layer.1", "lm_head.bias"),
    ],
)
def test_an_encoder_is_adapted_and_finetuned_under_its_own_names(
    tmp_path: Path, family: str, prefix: bool, layer: str, bias: str
) -> None:
    source = kin.write(tmp_path / "source", family, prefix, head=True)
    layers = kin.LAYERS if family == "albert" else 1
    chosen = {**CHOSEN, "trainable_layers": layers}
    context = workspace(tmp_path, source, finetune=chosen, pretrain_adapt=ADAPTATION)
    adapted = pretrain_adapt.run(context)
    assert adapted.summary["head_from_checkpoint"]
    before, after = load_file(source / "model.safetensors"), load_file(adapted.artifact.path / "model.safetensors")
    assert set(before) - set(after) <= {"vocab_projector.weight"}
    assert set(after) <= set(before)
    learned = [name for name in after if not np.array_equal(after[name], before[name])]
    words = f"{kin.PREFIX[family] if prefix else ''}{WORDS}"
    assert {words, bias} <= set(learned)
    assert (adapted.artifact.path / "config.json").read_bytes() == (source / "config.json").read_bytes()
    load_bert(adapted.artifact.path)
    stored = load_file(finetune.run(context).artifact.path / "weights.safetensors")
    tuned = {name for name in stored if name.startswith("encoder.")}
    assert {f"encoder.{layer}.{name}" for name in kin.of_block(family)} == tuned


def test_no_steps_leave_names_and_values(tmp_path: Path) -> None:
    source = kin.write(tmp_path / "source", "xlm-roberta", prefix=True, head=True)
    adapted = pretrain_adapt.run(workspace(tmp_path, source))
    before, after = load_file(source / "model.safetensors"), load_file(adapted.artifact.path / "model.safetensors")
    assert set(after) == set(before)
    for name, value in after.items():
        np.testing.assert_array_equal(value, before[name])


def test_special_tokens_are_neither_predicted_nor_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def recorded(ids: np.ndarray, *rest: Any) -> tuple[np.ndarray, np.ndarray]:
        inputs, labels = mask_tokens(ids, *rest)
        seen.append((ids, inputs, labels))
        return inputs, labels

    monkeypatch.setattr(masked_objective, "mask_tokens", recorded)
    source = kin.write(tmp_path / "source", "roberta")
    often = {"steps": 1, "batch_size": 32, "held_out": 0.2, "mask_probability": 0.5}
    pretrain_adapt.run(workspace(tmp_path, source, pretrain_adapt=often))
    ids, inputs, labels = (np.concatenate([part.ravel() for part in parts]) for parts in zip(*seen, strict=True))
    special = (0, 1, 2, 3, 260)
    assert (ids == 1).any()
    assert (labels != IGNORED).sum() > 100
    assert not np.isin(labels, special).any()
    changed = inputs != ids
    assert (inputs[changed] == 260).any()
    assert not np.isin(inputs[changed], special[:-1]).any()


@pytest.mark.parametrize(
    ("kind", "pooling", "learns"),
    [
        ("llama", "last", {"trainable_layers": 1, "lora": {"rank": 2, "alpha": 4.0}}),
        ("gpt2", "mean", {"trainable_layers": 1}),
        ("wordllama", "mean", {"trainable_layers": 0}),
    ],
)
def test_other_encoders_are_copied_and_finetuned(
    tmp_path: Path, kind: str, pooling: str, learns: dict[str, Any]
) -> None:
    source = kin.write(tmp_path / "source", kind)
    encoders = {"text": {"source": str(source), "pooling": pooling}}
    context = workspace(tmp_path, source, finetune={**CHOSEN, **learns}, encoders=encoders)
    adapted = pretrain_adapt.run(context).artifact.path
    before, after = (load_file(path / "model.safetensors") for path in (source, adapted))
    assert set(after) == set(before)
    for name, value in after.items():
        np.testing.assert_array_equal(value, before[name])
    stored = load_file(finetune.run(context).artifact.path / "weights.safetensors")
    tuned = {name for name in stored if name.startswith("encoder.")}
    layer = {"llama": "encoder.layers.1.", "gpt2": "encoder.h.1."}.get(kind)
    assert all(layer is not None and name.startswith(layer) for name in tuned)
    assert bool(tuned) == (layer is not None)
