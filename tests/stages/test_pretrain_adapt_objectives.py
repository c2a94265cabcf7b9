"""The stage with other objectives than masked tokens, and with an encoder from scratch."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from safetensors.numpy import load_file
from transformers import AutoConfig, AutoTokenizer

from interestrec.core.errors import DataError
from interestrec.model.bert_tensors import expected_shapes
from interestrec.model.encoder_checkpoint import read_checkpoint
from interestrec.pretraining import masked_objective
from interestrec.pretraining.adaptation import Schedule
from interestrec.pretraining.contrastive_texts import ContrastiveTexts
from interestrec.pretraining.passages import Passages
from interestrec.pretraining.pretrain_adapt_settings import PretrainAdaptSettings
from interestrec.stages import finetune, pretrain_adapt
from interestrec.stages.check import check
from interestrec.text.masking import mask_tokens
from interestrec.text.tokenizer import load_tokenizer
from tests import kin
from tests.kin import load_bert
from tests.stages.learning import ADAPTATION, shop, workspace

pytestmark = pytest.mark.slow

SMALL = {"layers": 1, "hidden": 12, "heads": 3, "intermediate": 20}


def tokenizer_only(encoder: Path, root: Path) -> Path:
    copy = root / "tokenizer"
    shutil.copytree(encoder, copy)
    for name in ("config.json", "model.safetensors"):
        (copy / name).unlink()
    return copy


def test_titles_learn_from_texts_that_no_field_reads(tmp_path: Path, tiny_encoder: Path) -> None:
    context = shop(tmp_path, tiny_encoder, pretrain_adapt={**ADAPTATION, "objective": "title_text"})
    result = pretrain_adapt.run(context)
    summary = result.summary
    assert summary["objective"] == "title_text"
    figures = ("loss", "alignment", "uniformity")
    assert {f"held_out_{name}_{when}" for name in figures for when in ("before", "after")} <= set(summary)
    assert summary["texts"] + summary["held_out_texts"] <= 60
    assert "head_from_checkpoint" not in summary
    source, adapted = (load_file(path / "model.safetensors") for path in (tiny_encoder, result.artifact.path))
    assert set(source) == set(adapted)
    assert any(not np.array_equal(adapted[name], value) for name, value in source.items())


def test_no_item_with_both_sides_is_said(tmp_path: Path, tiny_encoder: Path) -> None:
    context = workspace(tmp_path, tiny_encoder, pretrain_adapt={**ADAPTATION, "objective": "title_text"})
    with pytest.raises(DataError, match="both title and text"):
        pretrain_adapt.run(context)


class Seen(Exception):
    """The stage came as far as training."""


@pytest.mark.parametrize(("pooling", "taken"), [("mean", "mean"), ("cls", "cls"), ("attention", "mean")])
def test_what_training_is_given(
    tmp_path: Path, tiny_encoder: Path, pooling: str, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seen(
        objective: ContrastiveTexts, train: Passages, held_out: Passages, plan: Schedule, execution: Any, _: Any
    ) -> None:
        assert (objective.name, objective.temperature, objective.encoder.pooling) == ("views", 0.2, taken)
        assert (plan.steps, plan.batch_size, execution.accumulate) == (3, 8, 2)
        assert not set(train.items) & set(held_out.items)
        raise Seen

    monkeypatch.setattr("interestrec.pretraining.adaptation.adapt", seen)
    encoders = {"text": {"source": str(tiny_encoder), "pooling": pooling}}
    chosen = {**ADAPTATION, "objective": "views", "accumulate": 2, "temperature": 0.2}
    with pytest.raises(Seen):
        pretrain_adapt.run(workspace(tmp_path, tiny_encoder, pretrain_adapt=chosen, encoders=encoders))


@pytest.mark.parametrize("whole_words", [True, False])
def test_whole_words_reach_the_masks(
    tmp_path: Path, tiny_encoder: Path, whole_words: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    def recorded(*arguments: Any) -> tuple[np.ndarray, np.ndarray]:
        given.append(arguments[-1])
        return mask_tokens(*arguments)

    monkeypatch.setattr(masked_objective, "mask_tokens", recorded)
    pretrain_adapt.run(workspace(tmp_path, tiny_encoder, pretrain_adapt={**ADAPTATION, "whole_words": whole_words}))
    assert given
    assert all((continues is not None) == whole_words for continues in given)


def test_an_encoder_from_scratch_is_trained_finetuned_and_read_by_others(tmp_path: Path, tiny_encoder: Path) -> None:
    source = tokenizer_only(tiny_encoder, tmp_path)
    chosen = {**ADAPTATION, "steps": 60, "learning_rate": 5e-3, "scratch": SMALL}
    context = workspace(tmp_path, source, pretrain_adapt=chosen)
    assert "from scratch" in {finding.subject: finding.sentence for finding in check(context.settings, 9)}["encoder"]
    result = pretrain_adapt.run(context)
    summary, path = result.summary, result.artifact.path
    assert summary["held_out_loss_after"] < 0.9 * summary["held_out_loss_before"]
    assert summary["held_out_perplexity_after"] == pytest.approx(np.exp(summary["held_out_loss_after"]))
    config = read_checkpoint(path).config
    assert (config.num_hidden_layers, config.hidden_size, config.num_attention_heads) == (1, 12, 3)
    assert config.intermediate_size == 20
    assert {name: value.shape for name, value in load_file(path / "model.safetensors").items()} == expected_shapes(
        config
    )
    theirs = AutoConfig.from_pretrained(path)
    assert (theirs.model_type, theirs.pad_token_id) == ("bert", load_tokenizer(path).pad_id)
    assert theirs.vocab_size == len(AutoTokenizer.from_pretrained(path))
    load_bert(path)
    weights = load_file(finetune.run(context).artifact.path / "item_vectors.safetensors")
    assert weights["frozen"].shape[1] == 12


def test_the_padding_of_another_tokenizer_is_told(tmp_path: Path) -> None:
    source = tokenizer_only(kin.write(tmp_path / "source", "roberta"), tmp_path)
    chosen = {**ADAPTATION, "steps": 1, "scratch": SMALL}
    path = pretrain_adapt.run(workspace(tmp_path, source, pretrain_adapt=chosen)).artifact.path
    config = AutoConfig.from_pretrained(path)
    assert (config.pad_token_id, config.vocab_size, config.model_type) == (1, 261, "bert")


def test_two_seeds_are_two_encoders_and_one_seed_is_one(tmp_path: Path, tiny_encoder: Path) -> None:
    words = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        context = workspace(tmp_path / name, tiny_encoder, seed=seed, pretrain_adapt={**ADAPTATION, "scratch": SMALL})
        words.append((pretrain_adapt.run(context).artifact.path / "model.safetensors").read_bytes())
    assert words[0] == words[1] != words[2]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"scratch": {}}, "scratch requires training.*set steps"),
        ({"steps": 9, "scratch": {"hidden": 10, "heads": 4}}, r"hidden \(10\) must be divisible by heads \(4\)"),
        ({"objective": "views", "whole_words": True}, "whole_words belongs to objective: masked, not to views"),
        ({"objective": "title_text", "mask_probability": 0.2}, "mask_probability belongs to objective: masked"),
        ({"temperature": 0.1}, "temperature belongs to objective: views or title_text or image_text, not to masked"),
        ({"objective": "views", "batch_size": 7, "accumulate": 4}, "at least twice accumulate"),
        ({"objective": "mask"}, "masked"),
    ],
)
def test_settings_that_contradict_each_other(values: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        PretrainAdaptSettings(**values)
