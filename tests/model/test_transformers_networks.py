"""Hidden states against transformers' own networks, where torch is installed (the extra `bench`)."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from interestrec.model.encoders import load_encoder
from tests import kin

# torch runs in a process of its own, because TensorFlow and it do not always get on in one.
pytestmark = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")

THEIRS = """
import sys
import numpy as np, torch
from transformers import AutoModel

directory = sys.argv[1]
model = AutoModel.from_pretrained(directory, attn_implementation="eager", dtype=torch.float32).eval()
given = np.load(f"{directory}/inputs.npz")
with torch.no_grad():
    output = model(input_ids=torch.tensor(given["ids"]), attention_mask=torch.tensor(given["mask"]))
np.save(f"{directory}/hidden.npy", output.last_hidden_state.numpy())
"""


def their_hidden_states(directory: Path, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    np.savez(directory / "inputs.npz", ids=ids.astype(np.int64), mask=mask)
    subprocess.run([sys.executable, "-c", THEIRS, str(directory)], check=True, capture_output=True)
    return np.load(directory / "hidden.npy")


def batch(texts: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Random ids of random lengths, padded with 1."""
    rng = np.random.default_rng(3)
    mask = (np.arange(length) < rng.integers(3, length + 1, (texts, 1))).astype(np.float32)
    mask[0] = 1
    return np.where(mask > 0, rng.integers(4, 260, mask.shape), 1).astype(np.int32), mask


@pytest.mark.parametrize("family", kin.PREFIX)
def test_hidden_states_of_the_bert_family(tmp_path: Path, family: str) -> None:
    directory = kin.write(tmp_path, family)
    ids, mask = batch(6, 40)
    ours = load_encoder(directory)(ids, mask).numpy()
    assert np.abs(ours - their_hidden_states(directory, ids, mask))[mask > 0].max() < 1e-4


@pytest.mark.parametrize("family", kin.DECODERS)
def test_hidden_states_of_decoders(tmp_path: Path, family: str) -> None:
    directory = kin.write(tmp_path, family, prefix=True)
    ids, mask = batch(6, 40)
    ours = load_encoder(directory)(ids, mask).numpy()
    assert np.abs(ours - their_hidden_states(directory, ids, mask))[mask > 0].max() < 1e-4
