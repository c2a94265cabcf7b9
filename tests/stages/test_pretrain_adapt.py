"""The adapted encoder: what changes, what is carried over, what is refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from interestrec.core.errors import ArtifactError, InputMissingError
from interestrec.io import files
from interestrec.model.masked_lm import MaskedLmHead
from interestrec.pretraining import retrieval_probe
from interestrec.pretraining.retrieval_probe import ProbeResult
from interestrec.stages import pretrain_adapt
from tests.kin import load_bert
from tests.stages.learning import ADAPTATION, workspace

pytestmark = pytest.mark.slow

WORDS = "embeddings.word_embeddings.weight"


def with_tensors(encoder: Path, root: Path, **extra: np.ndarray) -> Path:
    """A copy of the encoder with more tensors in its checkpoint."""
    copy = root / "encoder"
    shutil.copytree(encoder, copy)
    tensors = load_file(copy / "model.safetensors")
    save_file({**tensors, **extra}, copy / "model.safetensors", metadata={"format": "pt"})
    return copy


def test_steps_change_the_encoder_and_are_reported(tmp_path: Path, tiny_encoder: Path) -> None:
    result = pretrain_adapt.run(workspace(tmp_path, tiny_encoder, pretrain_adapt=ADAPTATION))
    adapted = load_file(result.artifact.path / "model.safetensors")
    source = load_file(tiny_encoder / "model.safetensors")
    assert set(adapted) == set(source)
    assert not np.array_equal(adapted[WORDS], source[WORDS])
    assert result.summary["steps"] == 3
    assert result.summary["held_out_texts"] > 0
    report = files.read_json(result.artifact.path / "adaptation.json")
    assert len(report["losses"]) == 3
    assert [finding["figure"] for finding in report["findings"]] == ["loss", "alignment", "uniformity", "next_item"]
    assert f"{report['held_out_uniformity_after']:.4f}" in report["findings"][2]["sentence"]
    assert "a head that started untrained" in report["findings"][0]["sentence"]
    assert result.summary["findings"] == report["findings"]
    load_bert(result.artifact.path)


@pytest.mark.parametrize(("gain", "kept"), [(-0.1, False), (0.1, True)])
def test_an_adapted_encoder_is_kept_if_the_probe_gains(
    tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch, gain: float, kept: bool
) -> None:
    measured = ProbeResult(0.2, 0.2 + gain, 0.01, 60)
    monkeypatch.setattr(retrieval_probe, "compare", lambda before, after, queries: measured)
    chosen = {"steps": 3, "batch_size": 8, "held_out": 0.2}
    result = pretrain_adapt.run(workspace(tmp_path, tiny_encoder, pretrain_adapt=chosen))
    adapted, source = (
        load_file(result.artifact.path / "model.safetensors"),
        load_file(tiny_encoder / "model.safetensors"),
    )
    assert np.array_equal(adapted[WORDS], source[WORDS]) != kept
    report = files.read_json(result.artifact.path / "adaptation.json")
    assert (report["kept"], report["probe"]["queries"]) == (kept, 60)
    assert report["findings"][-1]["better"] == kept


def test_no_steps_leave_every_tensor_as_it_was(tmp_path: Path, tiny_encoder: Path) -> None:
    context = workspace(tmp_path, tiny_encoder, pretrain_adapt={"steps": 0})
    adapted = load_file(pretrain_adapt.run(context).artifact.path / "model.safetensors")
    for name, value in load_file(tiny_encoder / "model.safetensors").items():
        np.testing.assert_array_equal(adapted[name], value)


def test_a_head_in_the_checkpoint_is_trained_and_its_copy_of_the_words_is_not_kept(
    tmp_path: Path, tiny_encoder: Path
) -> None:
    bert = load_bert(tiny_encoder)
    head = MaskedLmHead(bert).export()
    copies = {"cls.predictions.decoder.weight": bert.words.numpy(), "cls.predictions.decoder.bias": np.zeros(3)}
    source = with_tensors(tiny_encoder, tmp_path, **head, **copies)
    result = pretrain_adapt.run(workspace(tmp_path, source, pretrain_adapt=ADAPTATION))
    adapted = load_file(result.artifact.path / "model.safetensors")
    assert result.summary["head_from_checkpoint"]
    assert not set(copies) & set(adapted)
    assert any(not np.array_equal(adapted[name], value) for name, value in head.items())


def test_an_encoder_with_another_tokenizer_is_refused(tmp_path: Path, tiny_encoder: Path) -> None:
    source = with_tensors(tiny_encoder, tmp_path)
    context = workspace(tmp_path, source, pretrain_adapt=ADAPTATION)
    tokenizer = source / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text().replace('"storm"', '"storms"'))
    with pytest.raises(ArtifactError, match="another tokenizer"):
        pretrain_adapt.run(context)


def test_an_encoder_without_weights_is_refused(tmp_path: Path, tiny_encoder: Path) -> None:
    source = with_tensors(tiny_encoder, tmp_path)
    context = workspace(tmp_path, source, pretrain_adapt=ADAPTATION)
    (source / "model.safetensors").unlink()
    with pytest.raises(InputMissingError, match=r"model\.safetensors"):
        pretrain_adapt.run(context)
