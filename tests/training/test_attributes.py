"""Price and category in the fused vectors: with equal texts they alone can tell what is liked."""

import keras
import numpy as np
import pytest

from interestrec.corpus.feature_codes import FeatureShape
from interestrec.corpus.item_attributes import fit_category, fit_price, known_category_codes, price_codes
from interestrec.model.two_tower import TwoTower
from interestrec.model.two_tower_config import TwoTowerConfig
from interestrec.training.batches import Batch
from interestrec.training.finetune_settings import FinetuneSettings
from interestrec.training.item_vectors import FrozenTextVectors
from interestrec.training.loop import TrainingOutcome, fit
from interestrec.training.phases import Epoch, Phase
from interestrec.training.validation import ValidationScores, ValidFigures
from tests.training.batch_of import NO_FEATURES, batch_of, no_codes
from tests.training.cut_off import fresh
from tests.training.running import execution

pytestmark = pytest.mark.slow

ITEMS, WIDTH, DROPOUT = 80, 16, 0.1
GROUP = np.arange(ITEMS) % 4  # every user likes the items of one group
RATES = FinetuneSettings(learning_rate=1e-2, patience=3)
Sizes = tuple[FeatureShape, ...]


def planted(seed: int, examples: int = 64) -> Batch:
    """Three items of the user's group were read; of two shown, the second is of the group."""
    rng = np.random.default_rng(seed)
    likes = rng.integers(0, 4, examples)
    other = (likes + rng.integers(1, 4, examples)) % 4
    history = rng.integers(0, ITEMS // 4, (examples, 3)) * 4 + likes[:, None]
    candidates = rng.integers(0, ITEMS // 4, (examples, 2)) * 4 + np.stack([other, likes], axis=1)
    labels = np.tile(np.array([[0, 1]], np.float32), (examples, 1))
    return batch_of(ITEMS, history, candidates, labels)


def of_price() -> tuple[np.ndarray, Sizes]:
    price = 10.0**GROUP * np.random.default_rng(1).uniform(1, 2, ITEMS)
    category = np.full(ITEMS, None, object)
    fitted = fit_price(price, category, np.ones(ITEMS, bool), 8)
    return price_codes(price, category, fitted)[:, None], (FeatureShape("price", (2 + len(fitted["edges"]),)),)


def of_category() -> tuple[np.ndarray, Sizes]:
    category = np.array([f"{'ab'[group // 2]}/{group}" for group in GROUP], object)
    fitted = fit_category(category, np.ones(ITEMS, bool))
    return known_category_codes(category, fitted), (
        FeatureShape("category", tuple(1 + len(n) for n in fitted["levels"])),
    )


def of_nothing() -> tuple[np.ndarray, Sizes]:
    return np.zeros((ITEMS, 0), np.int32), ()


def trained(attributes: np.ndarray, sizes: Sizes) -> tuple[TwoTower, TrainingOutcome]:
    keras.utils.set_random_seed(3)
    model = TwoTower(TwoTowerConfig(WIDTH, WIDTH, (8,), 2, 5, DROPOUT, sizes), name="two_tower")
    texts = FrozenTextVectors(np.ones((ITEMS, WIDTH), np.float32))
    codes = no_codes(ITEMS)._replace(attributes=attributes)
    scores = ValidationScores(model, texts, codes, NO_FEATURES)

    def epoch(number: int, done: int) -> Epoch:
        return Epoch(np.arange(31) * 64, (planted(100 * number + n) for n in range(done, 30)))

    phase = Phase("impressions", 3, epoch, graded=True)
    held_out = [planted(9999, 256)]
    return model, fit(
        model,
        texts,
        codes,
        NO_FEATURES,
        [phase],
        RATES,
        execution(),
        lambda: ValidFigures("valid_auc", {"valid_auc": scores.mean_auc(held_out, 1.0)}),
        checkpoints=fresh(),
        seed=3,
    )


@pytest.mark.parametrize("known", [of_price, of_category])
def test_what_only_an_attribute_tells_is_learned(known: object) -> None:
    _, outcome = trained(*known())  # type: ignore[operator]
    assert outcome.history.value[0] == 0.5  # zero tables: all items are equal
    assert outcome.best > 0.9


def test_without_the_field_it_stays_at_chance() -> None:
    _, outcome = trained(*of_nothing())
    assert {v for n, v in zip(outcome.history.name, outcome.history.value, strict=True) if n == "valid_auc"} == {0.5}


def test_training_is_the_same_for_one_seed() -> None:
    first, second = (trained(*of_price())[0] for _ in range(2))
    for a, b in zip(first.trainable_variables, second.trainable_variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
