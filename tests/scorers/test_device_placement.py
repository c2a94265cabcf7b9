"""Models on a device: the scorer asks them, and its scores are those of NumPy up to rounding."""

import numpy as np

from interestrec.model.device_catalogue import DeviceCatalogue
from interestrec.scorers import intensity
from interestrec.scorers.device_placement import place_on_device
from interestrec.scorers.scorer_inputs import ScorerInputs
from tests.scorers.test_item_search import ASKED, inputs  # noqa: F401


def test_lists_are_scored_by_the_device(inputs: ScorerInputs) -> None:  # noqa: F811
    scorer = intensity.fit(inputs, None)
    by_numpy = scorer.score_catalogue(ASKED)
    before = scorer.models[0].catalogue
    try:
        place_on_device([scorer], "CPU:0", "float32")
        assert isinstance(scorer.models[0].catalogue, DeviceCatalogue)
        found = scorer.score_catalogue(ASKED)
    finally:
        scorer.models[0].catalogue = before  # the models are those of other tests, too
    np.testing.assert_allclose(found, by_numpy, rtol=1e-5, atol=1e-5 * np.abs(by_numpy).max())
