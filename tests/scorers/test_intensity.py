"""The trained model as a scorer."""

import json
from pathlib import Path

import numpy as np
import pytest

from interestrec.core.errors import ArtifactError, InputMissingError
from interestrec.scorers import intensity as module
from interestrec.scorers.intensity import load_intensity
from interestrec.scorers.requests import Requests
from tests.scorers.models import write_model

ITEMS, WIDTH = 30, 6
REQUESTS = Requests(
    user=np.arange(4, dtype=np.int32),
    offsets=np.array([0, 3, 3, 8, 9]),
    item=np.array([1, 2, 3, 4, 5, 6, 7, 8, 9], np.int32),
    intensity=np.array([1, 1, 0.5, 1, 1, 1, 1, 1, 0.2], np.float32),
    time=np.zeros(9, np.int64),
)
OFFSETS = np.array([0, 2, 5, 5, 6])
CANDIDATES = np.array([10, 11, 12, 13, 14, 15], np.int32)


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(ITEMS, WIDTH)).astype(np.float32)
    write_model(tmp_path, vectors, rng.integers(-1, 3, (ITEMS, 2)).astype(np.int32))
    return tmp_path


def test_candidates_get_their_scores_of_the_catalogue(model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = load_intensity(model_path)
    whole = scorer.score_catalogue(REQUESTS)
    assert whole.shape == (4, ITEMS)
    assert ((whole > 0) & (whole < 1)).all()
    owner = np.repeat(np.arange(4), np.diff(OFFSETS))
    np.testing.assert_allclose(
        scorer.score_candidates(REQUESTS, OFFSETS, CANDIDATES), whole[owner, CANDIDATES], rtol=1e-5
    )
    monkeypatch.setattr(module, "_CELLS", 1)  # blocks of one request
    np.testing.assert_allclose(scorer.score_catalogue(REQUESTS), whole, rtol=1e-5)


def test_scores_are_calibrated_logits(model_path: Path) -> None:
    graded = load_intensity(model_path).score_catalogue(REQUESTS).astype(np.float64)
    (model_path / "calibration.json").write_text(json.dumps({"scale": 1.0, "shift": 0.0}))
    raw = load_intensity(model_path).score_catalogue(REQUESTS).astype(np.float64)
    np.testing.assert_allclose(np.log(graded / (1 - graded)), 0.5 * np.log(raw / (1 - raw)) - 1, atol=1e-4)


def test_only_the_most_recent_history_counts(model_path: Path) -> None:
    scorer = load_intensity(model_path)
    last = slice(4, 8)
    recent = Requests(
        np.array([2], np.int32), np.array([0, 4]), REQUESTS.item[last], REQUESTS.intensity[last], REQUESTS.time[last]
    )
    np.testing.assert_allclose(scorer.score_catalogue(recent)[0], scorer.score_catalogue(REQUESTS)[2], rtol=1e-5)


def test_a_model_with_a_missing_or_damaged_part(model_path: Path) -> None:
    vectors = model_path / "item_vectors.safetensors"
    vectors.write_bytes(vectors.read_bytes()[:30])
    with pytest.raises(ArtifactError, match="not a valid safetensors"):
        load_intensity(model_path)
    vectors.unlink()
    with pytest.raises(InputMissingError):
        load_intensity(model_path)


def test_two_steps_score_the_nearest_in_full_and_the_others_behind_them(model_path: Path) -> None:
    exact = load_intensity(model_path).score_catalogue(REQUESTS)
    scorer = load_intensity(model_path, retrieve=10)
    score = scorer.score_catalogue(REQUESTS)
    history, intensity = scorer.histories(REQUESTS)
    nearness = scorer._catalogue.dot_products(history, intensity)
    for row in (0, 2, 3):  # the second has no history, and nothing is near
        first = np.argsort(-nearness[row])[:10]
        others = np.setdiff1d(np.arange(ITEMS), first)
        np.testing.assert_allclose(score[row, first], exact[row, first], rtol=1e-5)
        assert score[row, others].max() <= score[row, first].min()
        assert np.argsort(-score[row, others]).tolist() == np.argsort(-nearness[row, others]).tolist()
    np.testing.assert_array_equal(load_intensity(model_path, retrieve=ITEMS).score_catalogue(REQUESTS), exact)
