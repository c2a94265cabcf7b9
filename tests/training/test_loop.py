"""The training loop: it learns, keeps the best, stops, and says when a loss breaks."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from interestrec.core.errors import DeviceError, NumericError
from interestrec.encoding.hidden_cache import encode_lower
from interestrec.model.bert import Bert
from interestrec.model.bert_tensors import export
from interestrec.model.softmax_loss import impression_softmax
from interestrec.model.two_tower import TwoTower
from interestrec.model.two_tower_config import TwoTowerConfig
from interestrec.text.text_inputs import TextInputs
from interestrec.training import device
from interestrec.training.batches import Batch
from interestrec.training.finetune_settings import FinetuneSettings
from interestrec.training.item_vectors import (
    FrozenTextVectors,
    LearningTextVectors,
    TextVectorSource,
    VectorCacheSettings,
)
from interestrec.training.loop import TrainingOutcome, fit
from interestrec.training.optimizer import AdamW, WeightGroup
from interestrec.training.phases import Epoch, Phase
from interestrec.training.schedule import DECAYS, rate_share
from interestrec.training.validation import ValidFigures
from tests.kin import load_bert
from tests.training.batch_of import NO_FEATURES, batch_of, logits, no_codes
from tests.training.cut_off import fresh
from tests.training.running import execution

pytestmark = pytest.mark.slow

WIDTH = 16

NO_REUSE = VectorCacheSettings()
CODES = no_codes(40)


def settings(patience: int) -> FinetuneSettings:
    return FinetuneSettings(learning_rate=1e-2, patience=patience)


def tower(dropout: float = 0.0) -> TwoTower:
    keras.utils.set_random_seed(3)
    return TwoTower(TwoTowerConfig(WIDTH, 8, (8,), 2, 5, dropout, ()), name="two_tower")


def planted(examples: int = 64, seed: int = 0) -> Batch:
    """Whoever read an even item wants item 0, whoever read an odd one item 1: nothing a similarity would know."""
    rng = np.random.default_rng(seed)
    history = rng.integers(2, 40, (examples, 1)).astype(np.int32)
    labels = np.stack([history[:, 0] % 2 == 0, history[:, 0] % 2 == 1], axis=1).astype(np.float32)
    candidates = np.tile(np.array([[0, 1]], np.int32), (examples, 1))
    return batch_of(40, history, candidates, labels, row=np.arange(examples) + 1000)


def vectors() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(40, WIDTH)).astype(np.float32)


def token_inputs() -> TextInputs:
    """A text of four tokens for each of the 40 items."""
    rng = np.random.default_rng(0)
    texts = [[2, *rng.integers(5, 60, 4), 3] for _ in range(40)]
    return TextInputs(np.arange(41) * 6, np.concatenate(texts).astype(np.int32), 0)


def accuracy(model: TwoTower, table: np.ndarray, batch: Batch) -> float:
    order, _ = logits(model, table, CODES, batch)
    return float(((order[:, 0] > order[:, 1]) == (batch.labels[:, 0] > 0)).mean())


def phase(epochs: int, batch: Batch | None = None, steps: int = 5) -> Phase:
    chosen = batch or planted()
    begins = np.arange(steps + 1) * len(chosen)
    return Phase("impressions", epochs, lambda _, done: Epoch(begins, iter([chosen] * (steps - done))), graded=True)


def learning_texts(bert: Bert, layers: int, reuse: VectorCacheSettings = NO_REUSE) -> LearningTextVectors:
    """The texts of `token_inputs` where the blocks above the first `layers` learn."""
    groups = [WeightGroup([v.value for v in weights], 1e-3) for weights in bert.unfreeze(2 - layers)]
    return LearningTextVectors(bert, layers, encode_lower(bert, token_inputs(), layers), np.arange(40), groups, reuse)


def run(
    model: TwoTower,
    texts: TextVectorSource,
    phases: list[Phase],
    validate: Callable[[], float],
    patience: int = 1,
    exactly: dict[str, int] | None = None,
) -> TrainingOutcome:
    """`fit` on one device without checkpoints to go on from; `validate` returns an AUC."""
    rates, found = settings(patience), by_auc(validate)
    return fit(model, texts, CODES, NO_FEATURES, phases, rates, execution(), found, fresh(), 3, exactly)


def by_auc(validate: Callable[[], float]) -> Callable[[], ValidFigures]:
    """The figures of a validation that measures an AUC alone."""

    def figures() -> ValidFigures:
        return ValidFigures("valid_auc", {"valid_auc": validate()})

    return figures


def test_it_learns_what_similarity_does_not_know() -> None:
    model, table, held_out = tower(), vectors(), planted(seed=9)
    before = accuracy(model, table, held_out)
    outcome = run(model, FrozenTextVectors(table), [phase(40)], lambda: accuracy(model, table, held_out), patience=40)
    assert before < 0.8
    assert outcome.best > 0.85
    assert accuracy(model, table, held_out) == outcome.best
    assert {"loss", "loss_intensity", "loss_softmax", "gradient_norm", "valid_auc"} == set(outcome.history.name)
    assert outcome.decides == "valid_auc"


def scripted(values: list[float]) -> Callable[[], float]:
    return iter(values).__next__


def weights(model: TwoTower) -> list[np.ndarray]:
    return [np.asarray(v.numpy()) for v in model.trainable_variables]


def test_the_start_is_kept_when_nothing_improves_on_it() -> None:
    model = tower()
    before = weights(model)
    outcome = run(model, FrozenTextVectors(vectors()), [phase(9)], scripted([0.9, 0.8, 0.7, 0.6]), patience=2)
    assert (outcome.best, outcome.best_epoch) == (0.9, 0)
    assert outcome.history.name.count("valid_auc") == 3  # the start and two epochs without a gain
    for old, new in zip(before, weights(model), strict=True):
        np.testing.assert_array_equal(new, old)


def test_the_next_phase_starts_from_the_best_of_the_one_before() -> None:
    model, table = tower(), FrozenTextVectors(vectors())
    run(model, table, [phase(1)], scripted([0.5, 0.6]))
    best = weights(model)
    again = tower()
    outcome = run(again, table, [phase(1), phase(1)], scripted([0.5, 0.6, 0.4]))
    assert outcome.best_epoch == 1
    for old, new in zip(best, weights(again), strict=True):
        np.testing.assert_array_equal(new, old)


def two_phases(first: int, second: int) -> list[Phase]:
    return [replace(phase(first, steps=2), name="histories"), phase(second, planted(seed=4), steps=2)]


@pytest.mark.parametrize(
    ("scores", "epochs"),
    [
        ([0.5, 0.6, 0.7, 0.8, 0.75, 0.85, 0.84, 0.83], {"histories": 2, "impressions": 3}),
        ([0.5, 0.6, 0.55, 0.7, 0.65, 0.64], {"histories": 1, "impressions": 1}),
        ([0.5, 0.6, 0.55, 0.5, 0.5], {"histories": 1}),
        ([0.5, 0.4, 0.4, 0.6, 0.5, 0.5], {"impressions": 1}),
        ([0.5, 0.4, 0.4, 0.4, 0.4], {}),
    ],
)
def test_the_epochs_of_each_phase_that_the_best_weights_went_through(
    scores: list[float], epochs: dict[str, int]
) -> None:
    outcome = run(tower(), FrozenTextVectors(vectors()), two_phases(2, 5), scripted(scores), patience=2)
    assert outcome.epochs == epochs


def never() -> float:
    raise AssertionError("there is nothing to validate on")


def test_as_many_epochs_without_validation_end_with_the_weights_that_validation_chose() -> None:
    model, again, table = tower(), tower(), FrozenTextVectors(vectors())
    chosen = run(model, table, two_phases(2, 4), scripted([0.5, 0.6, 0.7, 0.8, 0.9, 0.85]), patience=1)
    assert chosen.epochs == {"histories": 2, "impressions": 2}  # of 4: the rate has not fallen to its end
    outcome = run(again, table, two_phases(2, 4), never, patience=1, exactly=dict(chosen.epochs))
    for old, new in zip(weights(model), weights(again), strict=True):
        np.testing.assert_array_equal(new, old)
    assert (outcome.best, outcome.epochs) == (None, chosen.epochs)
    assert "valid_auc" not in outcome.history.name


def test_a_phase_that_gave_nothing_is_left_out() -> None:
    outcome = run(tower(), FrozenTextVectors(vectors()), two_phases(3, 3), never, exactly={"impressions": 1})
    assert outcome.epochs == {"impressions": 1}
    assert max(outcome.history.step) == 2


def test_a_loss_that_is_not_finite_names_the_step_and_the_rows() -> None:
    table = vectors()
    table[0] = np.nan
    told = r"not finite at step 1 \(epoch 1\), of examples in rows 1000, 1001, .*, 1009, … of impressions\.parquet"
    with pytest.raises(NumericError, match=told):
        run(tower(), FrozenTextVectors(table), [phase(1)], lambda: 0.5)


def test_equal_labels_leave_the_cross_entropy_out() -> None:
    ungraded = replace(phase(1, steps=1), graded=False)
    outcome = run(tower(), FrozenTextVectors(vectors()), [ungraded], lambda: 0.5)
    assert "loss_intensity" not in outcome.history.name
    assert "loss_softmax" in outcome.history.name


def test_lists_learn_the_order_with_its_rates_and_single_candidates_the_strength() -> None:
    rate = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
    batch, table = replace(planted(), log_rate=rate), vectors()
    model = tower()
    model.head.strength_bias.assign(0.7)
    order, strength = logits(model, table, CODES, batch)
    assert not np.allclose(order, strength)
    expected = {
        "softmax": tf.reduce_mean(impression_softmax(order - rate, batch.labels, batch.present)),
        "intensity": tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(batch.labels, strength)),
    }
    history = run(model, FrozenTextVectors(table), [phase(1, batch, steps=1)], lambda: 0.5).history
    for name, value in expected.items():
        assert history.value[history.name.index(f"loss_{name}")] == pytest.approx(float(value), rel=1e-5), name


def test_the_figure_that_validation_names_decides() -> None:
    values = iter([(0.9, 0.1), (0.5, 0.3), (0.4, 0.2), (0.3, 0.1)])

    def validate() -> ValidFigures:
        auc, ndcg = next(values)
        return ValidFigures("valid_ndcg", {"valid_auc": auc, "valid_ndcg": ndcg})

    texts = FrozenTextVectors(vectors())
    outcome = fit(
        *(tower(), texts, CODES, NO_FEATURES, [phase(9)], settings(2), execution(), validate, fresh(), 3),
    )
    assert (outcome.decides, outcome.best, outcome.best_epoch) == ("valid_ndcg", 0.3, 1)
    assert outcome.history.at_epoch(0) == {"valid_auc": 0.9, "valid_ndcg": 0.1}


def test_only_the_top_layers_of_the_encoder_learn(tiny_encoder: Path) -> None:
    bert = load_bert(tiny_encoder)
    before = export(bert)
    learning = learning_texts(bert, 1)
    start = learning.current_vectors(np.arange(40))
    run(tower(), learning, [phase(1)], scripted([0.5, 0.6]))
    moved = {name for name, value in export(bert).items() if not np.array_equal(value, before[name])}
    assert moved
    assert all(name.startswith("encoder.layer.1.") for name in moved)
    assert not np.array_equal(learning.current_vectors(np.arange(40)), start)


def test_the_learning_rate_rises_and_falls() -> None:
    shares = [rate_share(DECAYS["linear"], 0.1, done) for done in (0.01, 0.05, 0.1, 0.55, 1.0)]
    assert shares == pytest.approx([0.1, 0.5, 1.0, 0.5, 0.0])


def test_vectors_and_scalars_do_not_decay() -> None:
    variables = tower().trainable_variables
    optimizer = AdamW([WeightGroup([v.value for v in variables], 1.0)], weight_decay=0.5, clip=1.0)
    decayed = [v.path for v, decay in zip(variables, optimizer.decays, strict=True) if decay]
    assert "head/first_user/kernel" in decayed
    assert not {"head/scale", "head/match", "user_tower/forgetting"} & set(decayed)


def test_a_missing_gpu_is_said_and_not_replaced() -> None:
    with pytest.raises(DeviceError, match=r"runtime\.device is gpu"):
        device.prepare("gpu", None, 1)
