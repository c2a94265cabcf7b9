"""Checkpoints of BERT's kin: against KerasHub's backbones, in and out, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from scipy.special import erf

from interestrec.core.errors import ArtifactError
from interestrec.model.bert import Bert
from interestrec.model.encoder_checkpoint import export, read_checkpoint
from interestrec.model.masked_lm import MaskedLmHead
from tests import kin
from tests.kin import load_bert
from tests.model.oracle import hidden_states

FAMILIES = list(kin.PREFIX)
HEADS = {
    "lm_head": ("lm_head.dense", "lm_head.layer_norm", "lm_head.bias"),
    "vocab": ("vocab_transform", "vocab_layer_norm", "vocab_projector.bias"),
}


def batch(texts: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Random ids of random lengths, padded with 1."""
    rng = np.random.default_rng(0)
    mask = (np.arange(length) < rng.integers(3, length + 1, (texts, 1))).astype(np.float32)
    mask[0] = 1
    return np.where(mask > 0, rng.integers(4, 260, mask.shape), 1).astype(np.int32), mask


@pytest.mark.parametrize("prefix", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_hidden_states_are_those_of_keras_hub(tmp_path: Path, family: str, prefix: bool) -> None:
    directory = kin.write(tmp_path, family, prefix)
    stored = load_file(directory / "model.safetensors")
    plain = {name.removeprefix(kin.PREFIX[family]): value for name, value in stored.items()}
    ids, mask = batch(6, kin.POSITIONS)
    theirs = hidden_states(json.loads((directory / "config.json").read_text()), plain, ids, mask)
    ours = load_bert(directory)(ids, mask).numpy()
    assert np.abs(ours - theirs)[mask > 0].max() < 1e-4


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_are_those_of_the_formulas(tmp_path: Path, family: str) -> None:
    directory = kin.write(tmp_path, family, prefix=True, head=True)
    t = load_file(directory / "model.safetensors")
    dense, norm, bias = HEADS["vocab" if family == "distilbert" else "lm_head"]
    bert = load_bert(directory)
    head = MaskedLmHead(bert)
    assert head.assign(read_checkpoint(directory).tensors)
    hidden = np.random.default_rng(1).normal(size=(5, kin.HIDDEN)).astype(np.float32)
    x = hidden @ t[f"{dense}.weight"].T + t[f"{dense}.bias"]
    x = x * (1 + erf(x / np.sqrt(2))) / 2
    epsilon = 1e-12 if family == "distilbert" else 1e-5
    x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + epsilon)
    x = x * t[f"{norm}.weight"] + t[f"{norm}.bias"]
    words = t[f"{kin.PREFIX[family]}embeddings.word_embeddings.weight"]
    np.testing.assert_allclose(head(hidden, bert.words).numpy(), x @ words.T + t[bias], atol=1e-4)


@pytest.mark.parametrize("prefix", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_weights_survive_the_way_out_and_in(tmp_path: Path, family: str, prefix: bool) -> None:
    directory = kin.write(tmp_path, family, prefix, head=True)
    stored = load_file(directory / "model.safetensors")
    checkpoint, bert = read_checkpoint(directory), load_bert(directory)
    head = MaskedLmHead(bert)
    assert head.assign(checkpoint.tensors)
    again = checkpoint.stored({**export(bert), **head.export()})
    assert set(stored) - set(again) <= {
        f"{kin.PREFIX[family] * prefix}pooler.dense.weight",
        f"{kin.PREFIX[family] * prefix}pooler.dense.bias",
        "vocab_projector.weight",
    }
    for name, value in again.items():
        np.testing.assert_array_equal(value, stored[name])


@pytest.mark.parametrize("family", FAMILIES)
def test_batches_may_be_padded_beyond_the_last_position(tmp_path: Path, family: str) -> None:
    bert = load_bert(kin.write(tmp_path, family, max_position_embeddings=21))
    longest = bert.config.max_length
    assert longest == (21 if family == "distilbert" else 19)
    ids, mask = np.full((1, 24), 9, np.int32), (np.arange(24) < longest).astype(np.float32)[None]
    whole = bert(ids[:, :longest], mask[:, :longest]).numpy()
    np.testing.assert_allclose(bert(ids, mask).numpy()[:, :longest], whole, atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_positions_do_not_hang_on_the_ids_at_padding(tmp_path: Path, family: str) -> None:
    bert = load_bert(kin.write(tmp_path, family))
    mask = np.array([[1, 1, 1, 0, 0]], np.float32)
    with_one, with_nine = (bert(np.array([[0, 9, 2, pad, pad]], np.int32), mask).numpy() for pad in (1, 9))
    np.testing.assert_allclose(with_one[:, :3], with_nine[:, :3], atol=1e-6)


def test_layer_norms_of_old_checkpoints_are_called_gamma_and_beta(tmp_path: Path) -> None:
    new = kin.write(tmp_path / "new", "roberta", prefix=True)
    old = kin.write(tmp_path / "old", "roberta", prefix=True)
    old_words = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    tensors = load_file(old / "model.safetensors")
    for word, before in old_words.items():
        tensors = {name.replace(word, before): value for name, value in tensors.items()}
    save_file(tensors, old / "model.safetensors")
    checkpoint = read_checkpoint(old)
    assert set(checkpoint.stored({})) == set(tensors)
    ids, mask = batch(2, 8)
    np.testing.assert_array_equal(load_bert(old)(ids, mask), load_bert(new)(ids, mask))


@pytest.mark.parametrize(
    ("family", "config", "reason"),
    [
        ("roberta", {"model_type": "robert"}, "unknown model_type 'robert' .did you mean 'roberta'.*choose from: bert"),
        ("roberta", {"model_type": ["roberta"]}, "unknown model_type"),
        ("roberta", {"hidden_act": "relu"}, "hidden_act is 'relu', but only 'gelu'"),
        ("xlm-roberta", {"position_embedding_type": "relative_key"}, "position_embedding_type is 'relative_key'"),
        ("roberta", {"pad_token_id": None}, "pad_token_id is None"),
        ("roberta", {"max_position_embeddings": 2}, "no position"),
        ("roberta", {"num_hidden_layers": 3}, r"no tensor 'encoder\.layer\.2.*not a roberta checkpoint"),
        ("roberta", {"type_vocab_size": 2}, "token_type_embeddings.weight' has shape"),
        ("distilbert", {"activation": "relu"}, "activation is 'relu', but only 'gelu'"),
        ("distilbert", {"n_layers": 3}, r"no tensor 'transformer\.layer\.2"),
        ("distilbert", {"hidden_dim": 64}, "lin1.weight' has shape"),
        ("distilbert", {"n_heads": 3}, "multiple of the number of heads"),
        ("distilbert", {"dim": "16"}, "must be from 1 to"),
        ("distilbert", {"dim": 10**9}, "must be from 1 to 1e"),
        ("distilbert", {"model_type": "bert"}, "lacks hidden_size, num_hidden_layers"),
    ],
)
def test_checkpoints_that_do_not_fit(tmp_path: Path, family: str, config: dict, reason: str) -> None:
    directory = kin.write(tmp_path, family)
    path = directory / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **config}))
    with pytest.raises(ArtifactError, match=reason):
        load_bert(directory)


def test_what_is_no_checkpoint_of_the_family(tmp_path: Path) -> None:
    directory = kin.write(tmp_path, "roberta", prefix=True)
    path = directory / "model.safetensors"
    tensors = load_file(path)
    words = "embeddings.word_embeddings.weight"
    save_file({**tensors, words: tensors[f"roberta.{words}"]}, path)
    with pytest.raises(ArtifactError, match=r"both with and without 'roberta\.'"):
        load_bert(directory)
    save_file({name.replace("roberta.", "other."): value for name, value in tensors.items()}, path)
    with pytest.raises(ArtifactError, match=f"no tensor '{words}'"):
        load_bert(directory)
    (directory / "config.json").write_text("[]")
    with pytest.raises(ArtifactError, match="not the configuration"):
        load_bert(directory)


def test_a_family_without_segments_has_no_weight_for_them(tmp_path: Path) -> None:
    bert: Bert = load_bert(kin.write(tmp_path, "distilbert"))
    assert not hasattr(bert, "segments")
    assert len(bert.trainable_variables) == 4 + 12 * kin.LAYERS
