"""Hard negatives: by hand, and a run that goes on within an epoch chooses the same ones."""

from pathlib import Path

import numpy as np
import pytest

from interestrec.corpus.store import NO_TIME, Timelines
from interestrec.model.encoder_checkpoint import export
from interestrec.training import device
from interestrec.training.batches import BatchLimits, batch_offsets, iterate_batches
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
from tests.training.running import execution

ITEMS = 40
# Item n points to the angle of n steps of 1°: the nearer two numbers, the more similar.
ANGLES = np.deg2rad(np.arange(ITEMS))
CIRCLE = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype(np.float32)


def timelines(item: list[int], intensity: list[float] | None = None) -> Timelines:
    n = len(item)
    ones = np.ones(n, np.float32) if intensity is None else np.array(intensity, np.float32)
    zeros = np.zeros(n, np.int32)
    return Timelines(np.array([0, n]), zeros, np.array(item, np.int32), np.full(n, NO_TIME), ones, zeros)


def events(start: list[int], end: list[int], item: list[int], document: list[int] | None = None) -> Examples:
    n = len(item)
    return Examples(
        np.array(start),
        np.array(end),
        np.arange(n + 1),
        np.array(item, np.int32),
        np.ones(n, np.float32),
        np.ones(n, bool),
        np.arange(n),
        None if document is None else np.array(document),
    )


def source(
    log: Timelines, vectors: np.ndarray, count: int = 4, pool: int = 2000, max_history: int = 2
) -> HardNegatives:
    hard = HardNegatives(
        NegativeSampler.from_popularity(np.full(ITEMS, 1 / ITEMS), count), pool, log, max_history, lambda: vectors
    )
    hard.begin_epoch()
    return hard


LOG = timelines([3, 10, 12, 30], [1, 0.3, 1, 0])
RNG = [7, 0, 3]


def test_the_most_similar_to_the_history_s_mean_come_first_and_no_hits() -> None:
    # 11 is between the two that count; 10 and 12 are read, 3 too, though too long ago, and 11 is the example's own.
    asked = events([0, 0], [3, 3], [20, 11])
    found = source(LOG, CIRCLE).draw(asked, np.random.default_rng(RNG))
    assert found.shape == (2, 4)
    assert found.dtype == np.int32
    assert found[0, 0] == 11
    assert found[0, 1] in (9, 13)
    assert set(found[1, :2]) == {9, 13}
    drawn = NegativeSampler.from_popularity(np.full(ITEMS, 1 / ITEMS), 4).draw(asked, np.random.default_rng(RNG))
    np.testing.assert_array_equal(found[:, 2:], drawn[:, 2:])


def test_an_event_without_interest_is_no_part_of_the_mean() -> None:
    found = source(LOG, CIRCLE).draw(events([2], [4], [0]), np.random.default_rng(RNG))
    assert set(found[0, :2]) == {11, 13}


def test_without_a_history_they_are_as_drawn() -> None:
    hard = source(LOG, CIRCLE, pool=5)
    asked = events([0], [0], [0])
    rng = np.random.default_rng(RNG)
    hard.sampler.draw(asked, rng)
    pool = NegativeSampler(hard.sampler.cumulative, 5).draw(asked, rng)[0]
    found = hard.draw(asked, np.random.default_rng(RNG))
    assert found[0, :2].tolist() == [n for n in dict.fromkeys(pool.tolist()) if n][:2]


def test_a_document_is_the_whole_history() -> None:
    vectors = np.concatenate([CIRCLE, CIRCLE[35:36]])  # the document is like item 35, whatever the items say
    found = source(LOG, vectors).draw(events([0, 0], [3, 3], [0, 0], [ITEMS, -1]), np.random.default_rng(RNG))
    assert found[0, 0] == 35


def test_odd_counts_and_small_pools() -> None:
    asked = events([0], [3], [20])
    assert source(LOG, CIRCLE, count=1).draw(asked, np.random.default_rng(RNG)).tolist() == [[11]]
    assert source(LOG, CIRCLE, count=9, pool=2).draw(asked, np.random.default_rng(RNG)).shape == (1, 9)


def test_the_choice_is_by_the_vectors_at_the_epoch_s_start() -> None:
    hard = source(LOG, CIRCLE)
    hard.vectors = lambda: CIRCLE[7 * np.arange(ITEMS) % ITEMS]
    asked = events([0], [3], [20])
    assert hard.draw(asked, np.random.default_rng(RNG))[0, 0] == 11
    hard.begin_epoch()
    # 10 and 12 are now at 30° and 4°, and the item between them is 7 · 31 = 17 modulo 40.
    assert hard.draw(asked, np.random.default_rng(RNG))[0, 0] == 31


def train(
    encoder: Path, checkpoints: CheckpointStore, reuse: VectorCacheSettings
) -> tuple[TrainingOutcome, list[np.ndarray], list[np.ndarray]]:
    """Two phases of two epochs of five steps; the weights, and the negatives of every batch by phase and epoch."""
    device.prepare("cpu", None, 5)
    bert = load_bert(encoder)
    model = test_loop.tower(dropout=0.3)
    texts = test_loop.learning_texts(bert, 1, reuse)
    rng = np.random.default_rng(0)
    log = timelines(rng.integers(0, ITEMS, 60).tolist())
    end = rng.integers(1, 59, 40)
    examples = events(np.maximum(end - 3, 0).tolist(), end.tolist(), log.item[end].tolist())

    def vectors() -> np.ndarray:
        return model.item_vectors(texts.current_vectors(np.arange(ITEMS)), test_loop.CODES.attributes)

    hard = HardNegatives(NegativeSampler.from_popularity(np.full(ITEMS, 1 / ITEMS), 4), 15, log, 5, vectors)
    chosen: list[np.ndarray] = []

    def epoch(number: int, done: int) -> Epoch:
        order = np.random.default_rng([5, number]).permutation(len(examples))
        begins = batch_offsets(examples, log, order, BatchLimits(8), 5)
        batches = list(iterate_batches(examples, log, hard, order, begins, 5, [5, number], done))
        chosen.extend(batch.distinct[batch.candidates] for batch in batches)
        return Epoch(begins, iter(batches))

    def validate() -> float:
        return 0.5 + sum(float(np.abs(v.numpy()).sum()) for v in model.trainable_variables) % 0.4

    phases = [Phase("impressions", 2, epoch, graded=True, begin_epoch=hard.begin_epoch) for _ in range(2)]
    outcome = fit(model, texts, test_loop.CODES, phases, test_loop.settings(9), execution(), validate, checkpoints, 5)
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
