"""Strength: calibrated logits of strength, which moments do not move."""

import json
from pathlib import Path

import numpy as np
import pytest

from interestrec.core.errors import ArtifactError
from interestrec.scorers import strength, two_tower_model
from interestrec.scorers.scorer_inputs import ScorerInputs
from tests.scorers.test_intensity import ITEMS, LISTS, QUERIED, model_inputs
from tests.scoring.asking import split_candidates


@pytest.fixture
def inputs(tmp_path: Path) -> ScorerInputs:
    return model_inputs(tmp_path)


def test_candidates_get_their_intensities_of_the_catalogue(
    inputs: ScorerInputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = strength.fit(inputs)
    whole = scorer.score_catalogue(QUERIED)
    assert whole.shape == (4, ITEMS)
    assert ((whole > 0) & (whole < 1)).all()
    offsets, item = split_candidates(LISTS)
    owner = np.repeat(np.arange(4), np.diff(offsets))
    np.testing.assert_allclose(scorer.score_candidates(QUERIED, offsets, item), whole[owner, item], rtol=1e-5)
    monkeypatch.setattr(two_tower_model, "_CELLS", 1)  # blocks of one request
    np.testing.assert_allclose(scorer.score_catalogue(QUERIED), whole, rtol=1e-5)


def test_scores_are_calibrated_logits_of_strength(inputs: ScorerInputs) -> None:
    offsets, item = split_candidates(LISTS)
    logits = inputs.two_towers[0].candidate_strength(QUERIED, offsets, item).astype(np.float64)
    found = strength.fit(inputs).score_candidates(QUERIED, offsets, item)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(1 - 0.5 * logits)), rtol=1e-5)


def test_a_calibration_that_is_none_is_refused(inputs: ScorerInputs) -> None:
    (inputs.model / "calibration.json").write_text(json.dumps({"scale": 0.5}))
    with pytest.raises(ArtifactError, match=r"calibration\.json: not a valid calibration .*run finetune again"):
        strength.fit(inputs)
