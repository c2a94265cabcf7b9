"""Hard negatives: by hand, and a run that goes on within an epoch chooses the same ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from interestrec.corpus.store import Timelines
from interestrec.model.bert_tensors import export
from interestrec.training import device
from interestrec.training.batches import BatchLimits, batch_offsets
from interestrec.training.examples import Examples
from interestrec.training.finetune_settings import VectorCacheSettings
from interestrec.training.hard_negatives import HardNegatives
from interestrec.training.loop import TrainingOutcome, fit
from interestrec.training.negative_sampler import NegativeSampler
from interestrec.training.phases import Epoch, Phase
from interestrec.training.training_checkpoint import CheckpointStore
from tests.kin import load_bert
from tests.training import test_loop
from tests.training.cut_off import CutOff, PowerCut
from tests.training.requests import builder, requests, timeline
from tests.training.running import execution

ITEMS = 40
# Item n points to the angle of n steps of 1°: the nearer two numbers, the more similar.
ANGLES = np.deg2rad(np.arange(ITEMS))
CIRCLE = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype(np.float32)


def source(
    log: Timelines, vectors: np.ndarray, count: int = 4, pool: int = 2000, max_history: int = 2, most: int = 100
) -> HardNegatives:
    sampler = NegativeSampler.from_popularity(np.full(ITEMS, 1 / ITEMS), count, most)
    hard = HardNegatives(sampler, pool, log, max_history, lambda: vectors)
    hard.begin_epoch()
    return hard


LOG = timeline([3, 10, 12, 30], [1, 0.3, 1, 0])
RNG = [7, 0, 3]


def hard_ones(made: HardNegatives, asked: Examples) -> list[int]:
    """Those that are not drawn by popularity."""
    items, log_rate = made.draw(asked, np.random.default_rng(RNG))
    half = max(made.sampler.count // 2, 1)
    easy = replace(made.sampler, count=half).draw(asked, np.random.default_rng(RNG)).items
    assert set(easy.tolist()) <= set(items.tolist())
    assert not log_rate.any()  # they are meant to weigh more than their share
    return [item for item in items.tolist() if item not in easy]


def test_the_most_similar_to_a_history_s_mean_are_chosen_and_no_hits() -> None:
    # 11 is between the two that count; 10 and 12 are read, 3 too, though too long ago.
    found = hard_ones(source(LOG, CIRCLE), requests([20], end=[3]))
    assert set(found) <= {11, 9, 13}
    assert found
    own = hard_ones(source(LOG, CIRCLE), requests([11], end=[3]))  # 11 is its own
    assert set(own) <= {9, 13}
    assert own


def test_what_is_a_hit_for_one_may_be_hard_for_another() -> None:
    # The second has not read 10 and 12, and its own is another.
    found = set(hard_ones(source(LOG, CIRCLE, count=2), requests([11], [20], start=[0, 2], end=[3, 3])))
    assert found <= {11, 12, 13, 9}
    assert found & {11, 13}


def test_an_event_without_interest_is_no_part_of_the_mean() -> None:
    found = hard_ones(source(LOG, CIRCLE), requests([0], start=[2], end=[4]))  # 12 and, of no interest, 30
    assert found
    assert set(found) <= {11, 13}


def test_a_document_is_the_whole_history() -> None:
    vectors = np.concatenate([CIRCLE, CIRCLE[35:36]])  # the document is like item 35, whatever the items say
    found = hard_ones(source(LOG, vectors), requests([0], end=[3], document=[ITEMS]))
    assert found
    assert set(found) <= {34, 35, 36}


def test_small_counts_pools_and_limits() -> None:
    asked = requests([20], end=[3])
    assert len(source(LOG, CIRCLE, count=1).draw(asked, np.random.default_rng(RNG)).items) <= 2
    assert len(source(LOG, CIRCLE, count=9, pool=2).draw(asked, np.random.default_rng(RNG)).items) <= 6
    many = requests(*([20] for _ in range(9)), end=[3] * 9)
    assert len(source(LOG, CIRCLE, count=9, most=6).draw(many, np.random.default_rng(RNG)).items) <= 9


def test_the_choice_is_by_the_vectors_at_the_epoch_s_start() -> None:
    made = source(LOG, CIRCLE, count=2)
    made.vectors = lambda: CIRCLE[7 * np.arange(ITEMS) % ITEMS]
    asked = requests([20], end=[3])
    easy = replace(made.sampler, count=1).draw(asked, np.random.default_rng(RNG)).items.tolist()
    assert made.draw(asked, np.random.default_rng(RNG)).items.tolist() == sorted({11, *easy})
    made.begin_epoch()
    # 10 and 12 are now at 30° and 4°, and the item between them is 7 · 31 = 17 modulo 40.
    assert made.draw(asked, np.random.default_rng(RNG)).items.tolist() == sorted({31, *easy})


def train(
    encoder: Path, checkpoints: CheckpointStore, reuse: VectorCacheSettings
) -> tuple[TrainingOutcome, list[np.ndarray], list[np.ndarray]]:
    """Two phases of two epochs of five steps; the weights, and the negatives of every batch by phase and epoch."""
    device.prepare("cpu", None, 5)
    bert = load_bert(encoder)
    model = test_loop.tower(dropout=0.3)
    texts = test_loop.learning_texts(bert, 1, reuse)
    rng = np.random.default_rng(0)
    log = timeline(rng.integers(0, ITEMS, 60))
    end = rng.integers(1, 59, 40)
    examples = requests(*([item] for item in log.item[end].tolist()), start=np.maximum(end - 3, 0), end=end)

    def vectors() -> np.ndarray:
        return model.item_tower(tf.constant(texts.current_vectors(np.arange(ITEMS)))).numpy()

    hard = HardNegatives(NegativeSampler.from_popularity(np.full(ITEMS, 1 / ITEMS), 2, 36), 15, log, 5, vectors)
    chosen: list[np.ndarray] = []

    def epoch(number: int, done: int) -> Epoch:
        order = np.random.default_rng([5, number]).permutation(len(examples))
        begins = batch_offsets(examples, log, order, BatchLimits(8), 5)
        batches = list(builder(log, ITEMS, 5).iterate(examples, hard, order, begins, [5, number], done))
        chosen.extend(batch.distinct[batch.shared] for batch in batches)
        return Epoch(begins, iter(batches))

    def validate() -> float:
        """Higher the further the candidates' map is from its start at zero, so that later weights are kept."""
        return 0.5 + 0.4 * float(np.tanh(1e-3 * np.abs(model.fused_items.candidate_map.numpy()).sum()))

    phases = [Phase("impressions", 2, epoch, graded=True, begin_epoch=hard.begin_epoch) for _ in range(2)]
    given = (test_loop.CODES, test_loop.NO_FEATURES, phases, test_loop.settings(9), execution())
    outcome = fit(model, texts, *given, test_loop.by_auc(validate), checkpoints, 5)
    return outcome, [*test_loop.weights(model), *export(bert).values()], chosen


REUSES = {
    "encoded": VectorCacheSettings(),
    "remembered": VectorCacheSettings(probability=0.5, max_age=3, max_tokens=100),
}


@pytest.mark.slow
@pytest.mark.parametrize("reuse", REUSES)
def test_training_goes_on_bit_by_bit(tiny_encoder: Path, tmp_path: Path, reuse: str) -> None:
    whole, weights, chosen = train(tiny_encoder, CheckpointStore(tmp_path / "whole", float("inf")), REUSES[reuse])
    assert any(not np.array_equal(a, b) for a, b in zip(chosen[:5], chosen[10:15], strict=True))  # equal seeds
    # After so many checkpoints: within the first epoch, at its end, in the second phase's second epoch.
    for at, left in {3: 17, 6: 15, 20: 3}.items():
        with pytest.raises(PowerCut):
            train(tiny_encoder, CutOff(tmp_path / str(at), at), REUSES[reuse])
        outcome, resumed, rest = train(tiny_encoder, CheckpointStore(tmp_path / str(at), 0.0), REUSES[reuse])
        assert len(rest) == left
        for ours, theirs in zip(rest, chosen[-left:], strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert outcome == whole
        for ours, theirs in zip(resumed, weights, strict=True):
            np.testing.assert_array_equal(ours, theirs)
