"""The trained model as a scorer: logits of order."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from interestrec.corpus.store import Corpus
from interestrec.io import files
from interestrec.scorers import intensity, strength, two_tower_model
from interestrec.scorers.registry import SCORERS
from interestrec.scorers.scorer_inputs import ScorerInputs
from tests.scorers.models import write_model
from tests.scoring.asking import requests, split_candidates
from tests.scoring.corpora import Event, write_event_log

USERS, ITEMS, WIDTH = 5, 30, 6
QUERIED = requests(
    [1, 2, 3],
    [],
    [4, 5, 6, 7, 8],
    [9],
    intensity=[1, 1, 0.5, 1, 1, 1, 1, 1, 0.2],
    days=[1, 2, 3, 4, 5, 6, 7, 8, 9],
    at=[20, 9, 20, None],
)
LISTS = [[10, 11], [12, 13, 14], [], [15]]


def model_inputs(root: Path) -> ScorerInputs:
    """A model of random weights, and a log by which moments differ."""
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(ITEMS, WIDTH)).astype(np.float32)
    write_model(root / "model", vectors, rng.integers(-1, 3, (ITEMS, 2)).astype(np.int32), USERS)
    log = [Event(item % USERS, item, 0.6 * item) for item in range(ITEMS)]
    corpus = Corpus(write_event_log(root / "corpus", USERS, ITEMS, log), None)
    return ScorerInputs(root / "model", root / "encoder", corpus, root, (), seed=1)


@pytest.fixture
def inputs(tmp_path: Path) -> ScorerInputs:
    return model_inputs(tmp_path)


def test_candidates_get_their_scores_of_the_catalogue(inputs: ScorerInputs, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = intensity.fit(inputs, None)
    whole = scorer.score_catalogue(QUERIED)
    assert whole.shape == (4, ITEMS)
    offsets, item = split_candidates(LISTS)
    owner = np.repeat(np.arange(4), np.diff(offsets))
    found = scorer.score_candidates(QUERIED, offsets, item)
    np.testing.assert_allclose(found, whole[owner, item], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found, inputs.two_towers[0].candidate_order(QUERIED, offsets, item))
    monkeypatch.setattr(two_tower_model, "_CELLS", 1)  # blocks of one request
    np.testing.assert_allclose(scorer.score_catalogue(QUERIED), whole, rtol=1e-5, atol=1e-6)


def test_requests_of_several_times_get_the_scores_of_each_alone(inputs: ScorerInputs) -> None:
    scorer = intensity.fit(inputs, None)
    together = scorer.score_catalogue(QUERIED)
    for row in range(len(QUERIED)):
        alone = scorer.score_catalogue(QUERIED.block(row, row + 1))[0]
        np.testing.assert_allclose(together[row], alone, rtol=1e-5, atol=1e-6)
    early, late, never = scorer.score_catalogue(requests([1], [1], [1], users=[0, 0, 0], at=[3, 20, None]))
    assert np.abs(early - late).max() > 0.01
    assert np.abs(early - never).max() > 0.01


def test_the_calibration_has_no_part_in_the_order(inputs: ScorerInputs) -> None:
    before = intensity.fit(inputs, None).score_catalogue(QUERIED)
    (inputs.model / "calibration.json").write_text('{"scale": 3.0, "shift": 1.0}')
    again = replace(inputs)  # without the model that is loaded
    np.testing.assert_array_equal(intensity.fit(again, None).score_catalogue(QUERIED), before)
    assert not SCORERS["intensity"].predicts_intensity
    assert SCORERS["strength"].is_estimator


def test_only_the_most_recent_history_counts(inputs: ScorerInputs) -> None:
    scorer = intensity.fit(inputs, None)
    recent = requests([5, 6, 7, 8], users=[2], days=[5, 6, 7, 8], at=[20])
    np.testing.assert_allclose(
        scorer.score_catalogue(recent)[0], scorer.score_catalogue(QUERIED)[2], rtol=1e-5, atol=1e-6
    )


def test_two_steps_score_the_nearest_in_full_and_the_others_behind_them(inputs: ScorerInputs) -> None:
    exact = intensity.fit(inputs, None).score_catalogue(QUERIED)
    score = intensity.fit(inputs, 10).score_catalogue(QUERIED)
    model = inputs.two_towers[0]
    nearness = model.catalogue.nearness(model.histories(QUERIED))
    for row in range(len(QUERIED)):
        first = np.argsort(-nearness[row])[:10]
        others = np.setdiff1d(np.arange(ITEMS), first)
        np.testing.assert_allclose(score[row, first], exact[row, first], rtol=1e-5, atol=1e-6)
        assert score[row, others].max() <= score[row, first].min()
        assert np.argsort(-score[row, others]).tolist() == np.argsort(-nearness[row, others]).tolist()
    np.testing.assert_array_equal(intensity.fit(inputs, ITEMS).score_catalogue(QUERIED), exact)


def test_intensity_and_strength_share_their_arrays_and_are_restored_with_their_moments(
    inputs: ScorerInputs, tmp_path: Path
) -> None:
    order, degree = intensity.fit(inputs, 10), strength.fit(inputs)
    arrays, others = order.arrays(), degree.arrays()
    shared = {name for name in others if arrays[name] is others[name]}
    assert set(arrays) - set(others) == {"retrieve"}
    assert set(others) - shared <= {"moments.items.scale", "moments.users.scale", "moments.catalogue.step"}
    files.write_safetensors(tmp_path / "kept", arrays)
    restored = intensity.Intensity.from_arrays(files.read_safetensors(tmp_path / "kept"))
    np.testing.assert_array_equal(restored.score_catalogue(QUERIED), order.score_catalogue(QUERIED))
    offsets, item = split_candidates(LISTS)
    found = restored.score_candidates(QUERIED, offsets, item)
    np.testing.assert_array_equal(found, order.score_candidates(QUERIED, offsets, item))
    assert not restored.needs_encoder


def test_scoring_does_not_load_tensorflow(inputs: ScorerInputs, tmp_path: Path) -> None:
    arrays = tmp_path / "kept"
    files.write_safetensors(arrays, intensity.fit(inputs, None).arrays())
    code = f"""
import sys
import numpy as np
from pathlib import Path
from interestrec.io import files
from interestrec.scorers.intensity import Intensity
from interestrec.scorers.registry import SCORERS
from interestrec.scorers.requests import Requests
from interestrec.scoring.decision import Decision
scorer = Intensity.from_arrays(files.read_safetensors(Path({str(arrays)!r})))
one = Requests(*(np.array(part) for part in ([-1], [0, 2], [3, 4], [1, 1], [5, 6], [7])))
assert np.isfinite(scorer.score_catalogue(one)).all()
assert np.isfinite(scorer.score_candidates(one, np.array([0, 1]), np.array([3]))).all()
print([name for name in ("tensorflow", "keras", "transformers", "pandas") if name in sys.modules])
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
