"""Our BERT against KerasHub's, and checkpoints in and out."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from interestrec.core.errors import ArtifactError, InputMissingError
from interestrec.io import files
from interestrec.model.bert_config import read_config
from interestrec.model.bert_tensors import export
from interestrec.model.encoder_checkpoint import read_checkpoint
from interestrec.model.pooling import mean_pool
from tests.kin import load_bert
from tests.model.oracle import BERT, fill_block

MINILM = Path(__file__).parents[2] / "data" / "encoders" / "minilm-l6"


def keras_hub_output(directory: Path, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Hidden states of KerasHub's BertBackbone with the weights of a checkpoint."""
    from keras_hub.models import BertBackbone

    checkpoint = read_checkpoint(directory)
    config, t = checkpoint.config, checkpoint.tensors
    model = BertBackbone(
        vocabulary_size=config.vocab_size,
        num_layers=config.num_hidden_layers,
        num_heads=config.num_attention_heads,
        hidden_dim=config.hidden_size,
        intermediate_dim=config.intermediate_size,
        dropout=0.0,
        max_sequence_length=config.max_position_embeddings,
        num_segments=config.type_vocab_size,
    )
    model.get_layer("token_embedding").set_weights([t["embeddings.word_embeddings.weight"]])
    model.get_layer("position_embedding").set_weights([t["embeddings.position_embeddings.weight"]])
    model.get_layer("segment_embedding").set_weights([t["embeddings.token_type_embeddings.weight"]])
    norm = [t["embeddings.LayerNorm.weight"], t["embeddings.LayerNorm.bias"]]
    model.get_layer("embeddings_layer_norm").set_weights(norm)
    for n in range(config.num_hidden_layers):
        block = model.get_layer(f"transformer_layer_{n}")
        fill_block(block, t, f"encoder.layer.{n}", BERT, config.num_attention_heads)
    segments = np.zeros_like(ids)
    return model({"token_ids": ids, "segment_ids": segments, "padding_mask": mask})["sequence_output"].numpy()


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["tiny", "minilm"])
def test_hidden_states_are_those_of_keras_hub(encoder: str, tiny_encoder: Path) -> None:
    directory = tiny_encoder if encoder == "tiny" else MINILM
    if not directory.is_dir():
        pytest.skip("MiniLM is not here; `interestrec fetch minilm-l6` brings it")
    config = read_config(directory)
    rng = np.random.default_rng(0)
    ids = rng.integers(5, config.vocab_size, (6, 12)).astype(np.int32)
    mask = (np.arange(12) < rng.integers(3, 13, (6, 1))).astype(np.float32)
    ours = load_bert(directory)(ids, mask).numpy()
    theirs = keras_hub_output(directory, ids, mask)
    assert np.abs(ours - theirs)[mask > 0].max() < 1e-4


def test_two_parts_give_the_whole(tiny_encoder: Path) -> None:
    bert = load_bert(tiny_encoder)
    ids, mask = np.array([[2, 9, 10, 3], [2, 7, 3, 0]], np.int32), np.array([[1, 1, 1, 1], [1, 1, 1, 0]], np.float32)
    whole = bert(ids, mask).numpy()
    for layers in (0, 1, 2):
        parts = bert.upper(bert.lower(ids, mask, layers), mask, layers).numpy()
        np.testing.assert_allclose(parts, whole, atol=1e-6)


def test_padding_changes_nothing(tiny_encoder: Path) -> None:
    bert = load_bert(tiny_encoder)
    short = bert(np.array([[2, 9, 3]], np.int32), np.ones((1, 3), np.float32)).numpy()
    padded = bert(np.array([[2, 9, 3, 0, 0]], np.int32), np.array([[1, 1, 1, 0, 0]], np.float32)).numpy()
    np.testing.assert_allclose(padded[:, :3], short, atol=1e-6)


def test_dropout_works_in_training_only(tiny_encoder: Path) -> None:
    bert = load_bert(tiny_encoder, rate=0.5)
    noise = tf.constant([1, 2])
    ids, mask = np.array([[2, 9, 3]], np.int32), np.ones((1, 3), np.float32)
    assert np.array_equal(bert(ids, mask).numpy(), bert(ids, mask).numpy())
    assert not np.array_equal(bert(ids, mask, noise=noise).numpy(), bert(ids, mask).numpy())
    assert np.array_equal(bert(ids, mask, noise=noise).numpy(), bert(ids, mask, noise=noise).numpy())
    assert not np.array_equal(bert(ids, mask, noise=noise).numpy(), bert(ids, mask, noise=noise + 1).numpy())


def test_the_mean_is_over_real_tokens() -> None:
    hidden = tf.constant([[[1.0, 2.0], [3.0, 4.0], [100.0, 100.0]]])
    np.testing.assert_allclose(mean_pool(hidden, tf.constant([[1.0, 1.0, 0.0]])), [[2.0, 3.0]])
    np.testing.assert_allclose(mean_pool(hidden, tf.zeros((1, 3))), [[0.0, 0.0]])


def test_weights_survive_the_way_out_and_in(tiny_encoder: Path) -> None:
    before = files.read_safetensors(tiny_encoder / "model.safetensors")
    after = export(load_bert(tiny_encoder))
    assert set(after) == {name for name in before if not name.startswith("pooler")}
    for name, value in after.items():
        np.testing.assert_array_equal(value, before[name])


def test_names_may_have_a_prefix(tiny_encoder: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_encoder, tmp_path / "x")
    tensors = files.read_safetensors(tiny_encoder / "model.safetensors")
    files.write_safetensors(tmp_path / "x" / "model.safetensors", {f"bert.{k}": v for k, v in tensors.items()})
    np.testing.assert_array_equal(load_bert(tmp_path / "x").words, load_bert(tiny_encoder).words)


def damaged(tiny_encoder: Path, directory: Path, **config: object) -> Path:
    shutil.copytree(tiny_encoder, directory)
    values = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps({**values, **config}))
    return directory


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"model_type": "gpt2"}, "unknown model_type 'gpt2'; choose from: albert, bert, distilbert, electra, mpnet"),
        ({"model_type": None}, "unknown model_type 'None'"),
        ({"hidden_act": "relu"}, "hidden_act is 'relu'"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"hidden_size": 17}, "multiple of the number of heads"),
        ({"num_hidden_layers": -1}, "must be from 1 to"),
        ({"intermediate_size": 64}, "has shape"),
        ({"num_hidden_layers": 3}, r"no tensor 'encoder\.layer\.2"),
    ],
)
def test_checkpoints_that_do_not_fit(tiny_encoder: Path, tmp_path: Path, config: dict, reason: str) -> None:
    with pytest.raises(ArtifactError, match=reason):
        load_bert(damaged(tiny_encoder, tmp_path / "x", **config))


def test_missing_or_broken_files(tiny_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="no encoder here"):
        load_bert(tmp_path)
    directory = damaged(tiny_encoder, tmp_path / "x")
    tensors = files.read_safetensors(directory / "model.safetensors")
    tensors["embeddings.LayerNorm.bias"] = np.full(16, np.nan, np.float32)
    files.write_safetensors(directory / "model.safetensors", tensors)
    with pytest.raises(ArtifactError, match="not finite"):
        load_bert(directory)
    (directory / "model.safetensors").write_bytes(b"\x00" * 50)
    with pytest.raises(ArtifactError, match="not a valid safetensors"):
        load_bert(directory)
