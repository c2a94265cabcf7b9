"""Checkpoints of BERT's kin: against KerasHub's backbones, in and out, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file, save_file
from scipy.special import erf

from interestrec.core.errors import ArtifactError, ConfigError
from interestrec.model.bert import Bert
from interestrec.model.bert_tensors import export
from interestrec.model.encoder_checkpoint import read_checkpoint
from interestrec.model.masked_lm import MaskedLmHead
from interestrec.model.relative_positions import relative_buckets
from interestrec.training.finetune_settings import LoraSettings
from tests import kin
from tests.kin import load_bert
from tests.model.oracle import hidden_states

FAMILIES = list(kin.PREFIX)
ALBERT_BLOCK = "encoder.albert_layer_groups.0.albert_layers.0."
HEADS = {
    "generator": ("generator_predictions.dense", "generator_predictions.LayerNorm", "generator_lm_head.bias"),
    "predictions": ("predictions.dense", "predictions.LayerNorm", "predictions.bias"),
    "lm_head": ("lm_head.dense", "lm_head.layer_norm", "lm_head.bias"),
    "vocab": ("vocab_transform", "vocab_layer_norm", "vocab_projector.bias"),
}
HEAD = {"distilbert": "vocab", "electra": "generator", "albert": "predictions"}


@pytest.mark.parametrize("prefix", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_hidden_states_are_those_of_keras_hub(tmp_path: Path, family: str, prefix: bool) -> None:
    directory = kin.write(tmp_path, family, prefix)
    stored = load_file(directory / "model.safetensors")
    plain = {name.removeprefix(kin.PREFIX[family]): value for name, value in stored.items()}
    ids, mask = kin.token_batch(6, kin.POSITIONS)
    theirs = hidden_states(json.loads((directory / "config.json").read_text()), plain, ids, mask)
    ours = load_bert(directory)(ids, mask).numpy()
    assert np.abs(ours - theirs)[mask > 0].max() < 1e-4


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_are_those_of_the_formulas(tmp_path: Path, family: str) -> None:
    directory = kin.write(tmp_path, family, prefix=True, head=True)
    t = load_file(directory / "model.safetensors")
    dense, norm, bias = HEADS[HEAD.get(family, "lm_head")]
    bert = load_bert(directory)
    head = MaskedLmHead(bert)
    assert head.assign(read_checkpoint(directory).tensors)
    hidden = np.random.default_rng(1).normal(size=(5, kin.HIDDEN)).astype(np.float32)
    x = hidden @ t[f"{dense}.weight"].T + t[f"{dense}.bias"]
    tanh = np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))
    x = x * (1 + (tanh if family == "albert" else erf(x / np.sqrt(2)))) / 2
    epsilon = 1e-5 if "roberta" in family or family == "mpnet" else 1e-12
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
    assert longest == (19 if "roberta" in family or family == "mpnet" else 21)
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
    ids, mask = kin.token_batch(2, 8)
    np.testing.assert_array_equal(load_bert(old)(ids, mask), load_bert(new)(ids, mask))


@pytest.mark.parametrize(
    ("family", "config", "reason"),
    [
        (
            "roberta",
            {"model_type": "robert"},
            "unknown model_type 'robert' .did you mean 'roberta'.*from: albert, bert",
        ),
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
        ("electra", {"embedding_size": 16}, "word_embeddings.weight' has shape"),
        ("albert", {"num_hidden_groups": 2}, "num_hidden_groups is '2', but only '1'"),
        ("albert", {"hidden_act": "relu"}, "hidden_act is 'relu', but only 'gelu_new' or 'gelu'"),
        ("mpnet", {"relative_attention_num_buckets": 16}, "relative_attention_bias.weight' has shape"),
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


def test_equal_widths_need_no_projection(tmp_path: Path) -> None:
    directory = kin.write(tmp_path / "narrow", "electra")
    tensors = load_file(directory / "model.safetensors")
    wide = {name: value for name, value in tensors.items() if not name.startswith("embeddings_project")}
    for name in [name for name in wide if name.startswith("embeddings.")]:
        wide[name] = np.concatenate([wide[name]] * 2, axis=-1)
    save_file(wide, directory / "model.safetensors")
    path = directory / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "embedding_size": kin.HIDDEN}))
    bert = load_bert(directory)
    assert not bert.config.has_projection
    assert bert(np.array([[0, 9, 2]], np.int32), np.ones((1, 3), np.float32)).shape == (1, 3, kin.HIDDEN)


def test_a_shared_layer_learns_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    bert = load_bert(kin.write(tmp_path, "albert"))
    assert bert.depth == kin.LAYERS
    assert len(bert.trainable_variables) == 5 + 2 + 12  # embeddings, projection, and one block
    with pytest.raises(ConfigError, match="trainable_layers is 1, but all 2 layers of albert share"):
        bert.unfreeze(1)
    assert [len(group) for group in bert.unfreeze(2)] == [12]
    assert bert.unfreeze(0) == []
    assert bert.export_learned(0) == {}
    assert {name.removeprefix(ALBERT_BLOCK) for name in bert.export_learned(2)} == kin.of_block("albert")


def test_all_runs_of_a_shared_layer_have_its_adapter(tmp_path: Path) -> None:
    bert = load_bert(kin.write(tmp_path, "albert"))
    ids, mask = kin.token_batch(2, 8)
    before = bert(ids, mask).numpy()
    (weights,) = bert.unfreeze(2, LoraSettings(rank=2, alpha=2.0))
    np.testing.assert_array_equal(bert(ids, mask).numpy(), before)
    weights[1].assign(weights[1] + 0.1)
    fresh = load_bert(tmp_path)
    assert fresh.assign_learned(bert.export_learned(2)) == 2
    np.testing.assert_allclose(fresh(ids, mask).numpy(), bert(ids, mask).numpy(), atol=1e-5)
    assert np.abs(bert(ids, mask).numpy() - before).max() > 1e-3


@pytest.mark.parametrize("length", [3, 40, 200])
def test_buckets_of_relative_positions(length: int) -> None:
    buckets = relative_buckets(tf.constant(length), 32).numpy()
    np.testing.assert_array_equal(buckets, [[of_offset(k - q) for k in range(length)] for q in range(length)])
    if length == 200:
        assert buckets[0, [0, 1, 7, 8, 15, 16, 128, 199]].tolist() == [0, 17, 23, 24, 25, 26, 31, 31]


def of_offset(offset: int) -> int:
    """The bucket of a distance: 8 exact ones, 8 that grow by the factor 16^(1/8), and 16 more for keys behind."""
    distance = abs(offset)
    bounds = [8 * 16 ** (step / 8) for step in range(8)]
    near = distance if distance < 8 else 7 + sum(distance >= bound - 1e-9 for bound in bounds)
    return near + 16 * (offset > 0)
