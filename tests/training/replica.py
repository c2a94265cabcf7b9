"""One process of a distributed training, for test_distribution: it trains on planted batches and saves its weights.

python -m tests.training.replica ENCODER WEIGHTS.npz REPLICAS DISTRIBUTION
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from interestrec.encoding.hidden_cache import encode_lower
from interestrec.model.bert_tensors import export
from interestrec.model.two_tower import TwoTower
from interestrec.model.two_tower_config import TwoTowerConfig
from interestrec.text.text_inputs import TextInputs
from interestrec.training import device
from interestrec.training.batches import Batch
from interestrec.training.execution import ExecutionSettings
from interestrec.training.finetune_settings import FinetuneSettings, VectorCacheSettings
from interestrec.training.item_vectors import LearningTextVectors
from interestrec.training.loop import fit
from interestrec.training.optimizer import WeightGroup
from interestrec.training.phases import Epoch, Phase
from interestrec.training.training_checkpoint import CheckpointStore
from interestrec.training.validation import ValidFigures
from tests.kin import load_bert
from tests.training.batch_of import NO_FEATURES, batch_of, no_codes

ITEMS, EXAMPLES, STEPS = 40, 21, 6  # 21 examples: replicas get parts of different sizes


def batch(seed: int) -> Batch:
    """Random histories, candidates and shared negatives; some have no positive, some candidates are padding."""
    rng = np.random.default_rng(seed)
    present = rng.random((EXAMPLES, 8)) < 0.8
    labels = np.where(present & (np.arange(8) < 5), rng.integers(0, 2, present.shape), 0).astype(np.float32)
    intensity = (rng.random((EXAMPLES, 6)) < 0.7).astype(np.float32)
    history, candidates = (rng.integers(0, ITEMS, (EXAMPLES, n)).astype(np.int32) for n in (6, 5))
    given = {"intensity": intensity, "present": present, "known": present & (np.arange(8) < 5)}
    return batch_of(ITEMS, history, candidates, labels, rng.choice(ITEMS, 3, replace=False), **given)


def batches(epoch: int, done: int) -> Iterator[Batch]:
    """Those of an epoch from step `done` on."""
    return (batch(10 * epoch + step) for step in range(done, STEPS))


def main(encoder: Path, target: Path, replicas: int, distribution: str) -> None:
    """Train and save."""
    if replicas > 1:
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * replicas)
    strategy = device.prepare("cpu", None, 5, distribution)
    rng = np.random.default_rng(0)
    tokens = [[2, *rng.integers(5, 60, rng.integers(2, 9)), 3] for _ in range(ITEMS)]
    inputs = TextInputs(np.cumsum([0, *map(len, tokens)]), np.concatenate(tokens).astype(np.int32), 0)
    with strategy.scope():
        bert = load_bert(encoder, rate=0.0)
        # Slow: the bias of the keys has no gradient but rounding, which AdamW takes whole steps of.
        groups = [WeightGroup([v.value for v in weights], 1e-4) for weights in bert.unfreeze(1)]
        hidden = encode_lower(bert, inputs, 1)
        texts = LearningTextVectors(bert, 1, hidden, np.arange(ITEMS), groups, VectorCacheSettings(max_age=1))
        keras.utils.set_random_seed(3)
        model = TwoTower(TwoTowerConfig(bert.config.hidden_size, 8, (8,), 2, 6, 0.0, ()), name="two_tower")
        # Where all candidates are alike, or a unit is active for all of them, losses of lists give a user's part a
        # gradient of rounding, which Adam takes steps of. So candidates differ, and by more than users do.
        for weight, deviation in (
            (model.fused_items.candidate_map, 0.3),
            (model.head.last.kernel, 0.3),
            (model.head.first_item.kernel, 10.0),
        ):
            weight.assign(rng.normal(0, deviation, weight.shape))
    begins = np.arange(0, EXAMPLES * (STEPS + 1), EXAMPLES)
    phase = Phase("impressions", 2, lambda epoch, done: Epoch(begins, batches(epoch, done)), graded=True)
    rising = iter([0.5, 0.6, 0.7])
    rates = FinetuneSettings(learning_rate=4e-3, patience=9)
    checkpoints = CheckpointStore(Path(tempfile.mkdtemp()), float("inf"))

    def validate() -> ValidFigures:
        return ValidFigures("valid_auc", {"valid_auc": next(rising)})

    codes, settings = no_codes(ITEMS), ExecutionSettings(strategy)
    fit(model, texts, codes, NO_FEATURES, [phase], rates, settings, validate, checkpoints, seed=7)
    np.savez(target, **{v.path: v.numpy() for v in model.weights}, **export(bert))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
