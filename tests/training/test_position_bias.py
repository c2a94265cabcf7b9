"""The bias of positions: what stood first is not interesting because it stood first."""

from typing import Any

import numpy as np
import pytest

from interestrec.model.position_bias import POSITIONS, SCALE, PositionBias
from interestrec.training.batches import Batch
from interestrec.training.item_vectors import FrozenTextVectors
from tests.training.batch_of import batch_of, logits
from tests.training.test_loop import CODES, phase, run, tower, vectors

pytestmark = pytest.mark.slow

EXAMPLES = 500


def first_is_clicked(seed: int, positions: bool) -> Batch:
    """Of ten clicks nine go to the first of two positions, where item 0 stands four times in five, exactly."""
    rng = np.random.default_rng(seed)
    number = rng.permutation(EXAMPLES)
    is_first = number % 5 > 0  # item 0
    candidates = np.where(is_first[:, None], [0, 1], [1, 0]).astype(np.int32)
    labels = np.eye(2, dtype=np.float32)[(number // 5 % 10 == 0).astype(int)]
    position = np.tile(np.array([[1, 2]] if positions else [[0, 0]], np.int32), (EXAMPLES, 1))
    return batch_of(40, rng.integers(2, 40, (EXAMPLES, 1)), candidates, labels, position=position)


def preference(positions: bool) -> tuple[float, Any]:
    """Train, and return the mean logit of item 0 over item 1, asked without positions, and the biases."""
    model, table = tower(), vectors()
    run(
        model,
        FrozenTextVectors(table),
        [phase(30, first_is_clicked(0, positions))],
        lambda: 0.5,
        exactly={"impressions": 30},
    )
    asked = batch_of(40, np.arange(2, 40)[:, None], np.tile([[0, 1]], (38, 1)), np.zeros((38, 2)))
    order, _ = logits(model, table, CODES, asked)
    return float((order[:, 0] - order[:, 1]).mean()), SCALE * model.position_bias.bias.numpy()


def test_a_click_for_the_place_is_no_interest_in_the_item() -> None:
    # Item 0 is clicked in 0.8 · 0.9 + 0.2 · 0.1 = 74 % of the impressions: ln(0.74 / 0.26) = 1.05.
    without, unread = preference(positions=False)
    assert without == pytest.approx(1.05, abs=0.3)
    np.testing.assert_array_equal(unread, np.zeros(POSITIONS))
    # With positions the two are alike, and ln(0.9 / 0.1) = 2.2 lies between the first and the second, or more where the
    # rest of the model explains some of the other clicks by their histories.
    told, biases = preference(positions=True)
    assert abs(told) < 0.3
    assert 1.8 < biases[0] - biases[1] < 3.0


def test_no_place_has_no_bias_and_far_places_share_one() -> None:
    layer = PositionBias()
    layer.build()
    layer.bias.assign(np.arange(1.0, POSITIONS + 1) / SCALE)
    found = layer(np.array([[0, 1, 2, POSITIONS, POSITIONS + 9]]))
    np.testing.assert_allclose(found, [[0, 1, 2, POSITIONS, POSITIONS]], rtol=1e-6)
