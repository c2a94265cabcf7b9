"""What holds for every encoder, so that a new one is tested without being asked."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from interestrec.core.errors import ConfigError
from interestrec.encoding.text_vectors import encode
from interestrec.model.encoder import Encoder
from interestrec.model.encoders import ENCODERS, load_encoder, read_encoder
from interestrec.model.families import FAMILIES
from interestrec.text.tokenizer import load_tokenizer
from tests import kin

registered = pytest.mark.parametrize("name", ENCODERS)

IDS = np.array([[0, 9, 10, 30, 2], [0, 7, 8, 9, 2]], np.int32)
MASK = np.ones(IDS.shape, np.float32)


def tiny(directory: Path, name: str, pooling: str = "mean") -> Encoder:
    """A tiny encoder of this kind, of text; a kind of other inputs brings its own sample."""
    return load_encoder(kin.write(directory, name), 0.0, pooling)


@registered
def test_the_parts_make_the_whole(tmp_path: Path, name: str) -> None:
    encoder = tiny(tmp_path, name)
    whole = encoder(IDS, MASK).numpy()
    for layers in range(encoder.depth + 1):
        parts = encoder.upper(encoder.lower(IDS, MASK, layers), MASK, layers).numpy()
        np.testing.assert_allclose(parts, whole, atol=1e-5)
    vectors = encoder.pooled(IDS, MASK).numpy()
    assert vectors.shape == (2, encoder.width)
    np.testing.assert_allclose(vectors, encoder.pool(whole, MASK).numpy(), atol=1e-5)


@registered
def test_padding_and_company_change_no_vector(tmp_path: Path, name: str) -> None:
    encoder = tiny(tmp_path, name)
    alone = encoder.pooled(IDS[:1], MASK[:1]).numpy()
    np.testing.assert_allclose(encoder.pooled(IDS, MASK).numpy()[:1], alone, atol=1e-5)
    ids, mask = np.pad(IDS, ((0, 0), (0, 3)), constant_values=1), np.pad(MASK, ((0, 0), (0, 3)))
    np.testing.assert_allclose(encoder.pooled(ids, mask).numpy()[:1], alone, atol=1e-5)
    assert encoder.max_length >= IDS.shape[1]


@registered
def test_what_learned_goes_out_and_into_a_fresh_network(tmp_path: Path, name: str) -> None:
    encoder = tiny(tmp_path, name, "attention")
    assert encoder.learns_pooling
    groups = encoder.unfreeze(encoder.depth)
    assert groups[-1] == [encoder.query]  # the pooling above the layers
    rng = np.random.default_rng(0)
    for variable in (variable for group in groups for variable in group):
        variable.assign(variable + rng.normal(0, 0.3, variable.shape))
    fresh = load_encoder(tmp_path, 0.0, "attention")
    assert np.abs(fresh.pooled(IDS, MASK).numpy() - encoder.pooled(IDS, MASK).numpy()).max() > 1e-3
    assert fresh.assign_learned(encoder.export_learned(encoder.depth)) == encoder.depth
    np.testing.assert_array_equal(fresh.pooled(IDS, MASK).numpy(), encoder.pooled(IDS, MASK).numpy())


@registered
def test_stored_tensors_are_those_of_the_file_and_take_what_learned(tmp_path: Path, name: str) -> None:
    encoder = tiny(tmp_path, name)
    stored = read_encoder(tmp_path)
    weights = encoder.export_weights()
    plain, again = stored.stored({}), stored.stored({key: array + 1 for key, array in weights.items()})
    assert set(again) == set(plain)
    changed = [key for key, array in plain.items() if not np.array_equal(array, again[key])]
    assert len(changed) == len(weights)


@registered
def test_the_masked_head_reads_hidden_states(tmp_path: Path, name: str) -> None:
    encoder = tiny(tmp_path, name)
    if name not in FAMILIES:
        with pytest.raises(ConfigError, match="objective masked needs"):
            encoder.masked_lm_head()
        return
    hidden = encoder(IDS, MASK)[0]
    assert encoder.masked_lm_head()(hidden, encoder.words).shape == (IDS.shape[1], encoder.words.shape[0])


@registered
def test_items_and_their_prompt_become_vectors(tmp_path: Path, name: str) -> None:
    encoder = tiny(tmp_path, name)
    titles = ["storm", "a storm of snow", "", "storm"]
    features = pa.table({"title_tokens": load_tokenizer(tmp_path).encode(titles)})
    inputs = encoder.item_inputs(tmp_path, features, [("title", 8)])
    asked = encoder.item_inputs(tmp_path, features, [("title", 8)], "query: ")
    assert (asked.lengths - inputs.lengths == len("query: ")).all()  # the tokenizer's tokens are bytes
    vectors, others = (encode(encoder, each) for each in (inputs, asked))
    assert vectors.shape == (4, encoder.width)
    assert np.isfinite(vectors).all()
    np.testing.assert_array_equal(vectors[0], vectors[3])
    assert np.abs(vectors[0] - others[0]).max() > 1e-4
