"""A model that ranks by its tasks: alone and in batches, stored and restored, by every way to its scores."""

import json
from pathlib import Path

import numpy as np
import pytest

from interestrec.core.errors import ArtifactError, ConfigError
from interestrec.io import files
from interestrec.model.rank_formula import parse_formula
from interestrec.model.tasks import TASKS
from interestrec.model.two_tower_config import ModelTask
from interestrec.scorers.intensity import Intensity
from interestrec.scorers.item_search import item_search
from interestrec.scorers.model_growth import grown_models
from interestrec.scorers.model_opening import open_model
from interestrec.scorers.strength import Strength
from interestrec.scorers.two_tower_model import TwoTowerModel
from interestrec.scorers.word_logits import require_order
from tests.scorers.models import write_model
from tests.scoring.asking import requests, split_candidates

ITEMS, USERS = 37, 9
MODEL_TASKS = (
    ModelTask("click", "binary", "event == click", True),
    ModelTask("hours", "duration", "value", False, {"centre": 1.0, "spread": 2.0}),
)
CALIBRATIONS = {
    "click": {"scale": 0.7, "shift": -0.3},
    "hours": {"scale": 1.1, "shift": 0.2, "residual": 0.9},
}
ASKED = requests([4, 7, 1], [2, 9], [], [1, 2, 3, 4], users=[2, 1, 0, 5], days=[3, 5, 9, 1, 2, 3, 4, 5, 6], at=[20] * 4)


def written(path: Path, formula: str | None, experts: int = 2, similarity: str = "user") -> TwoTowerModel:
    rng = np.random.default_rng(1)
    vectors, category = rng.normal(size=(ITEMS, 6)).astype(np.float32), rng.integers(-1, 3, (ITEMS, 2))
    powers = () if formula is None else parse_formula(formula, ["click", "hours"])
    changes = {"tasks": MODEL_TASKS, "experts": experts, "rank_by": powers, "similarity": similarity}
    write_model(path, vectors, category.astype(np.int32), USERS, **changes)
    (path / "calibration.json").write_text(json.dumps({"scale": 0.5, "shift": -1.0, "tasks": CALIBRATIONS}))
    return open_model(path)


def expected(model: TwoTowerModel, formula: str) -> np.ndarray:
    """The formula over the parts of the model, float64 [requests, items]."""
    histories, moments = model.histories(ASKED), model.item_moments(20)
    total = np.zeros((len(ASKED), ITEMS))
    for name, power in parse_formula(formula, ["click", "hours"]):
        if name == "order":
            total += power * model.catalogue.order(histories, moments)
            continue
        number = ["click", "hours"].index(name)
        scores = model.catalogue.task(histories, number)
        parameters = {**MODEL_TASKS[number].parameters, **CALIBRATIONS[name]}
        total += power * TASKS[MODEL_TASKS[number].kind].log_expected(scores, parameters)
    return total


@pytest.mark.parametrize("formula", ["click", "click * hours^0.5", "order^2 * hours^-0.3"])
@pytest.mark.parametrize("similarity", ["user", "history"])
def test_the_formula_ranks_catalogues_and_candidates(tmp_path: Path, formula: str, similarity: str) -> None:
    model = written(tmp_path, formula, similarity=similarity)
    scorer = Intensity([model])
    found = scorer.score_catalogue(ASKED)
    np.testing.assert_allclose(found, expected(model, formula), rtol=1e-4, atol=1e-4)
    offsets, item = split_candidates([list(range(ITEMS))] * len(ASKED))
    np.testing.assert_allclose(scorer.score_candidates(ASKED, offsets, item), found.ravel(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("formula", ["click * hours^0.5", "order * click"])
def test_answers_alone_and_in_a_batch_have_equal_bits(tmp_path: Path, formula: str) -> None:
    scorer = Intensity([written(tmp_path, formula)])
    together = scorer.score_catalogue(ASKED)
    offsets, item = split_candidates([[3, 8], [8], [1, 2, 8], [5]])
    pairs = scorer.score_candidates(ASKED, offsets, item)
    for row in range(len(ASKED)):
        one = ASKED.block(row, row + 1)
        np.testing.assert_array_equal(scorer.score_catalogue(one)[0], together[row])
        own = slice(offsets[row], offsets[row + 1])
        alone = scorer.score_candidates(one, np.array([0, own.stop - own.start]), item[own])
        np.testing.assert_array_equal(alone, pairs[own])


def test_without_a_formula_tasks_change_neither_order_nor_strength(tmp_path: Path) -> None:
    plain, ranked = written(tmp_path / "plain", None), written(tmp_path / "ranked", "click")
    order = plain.catalogue.order(plain.histories(ASKED), plain.item_moments(20))
    np.testing.assert_array_equal(Intensity([plain]).score_catalogue(ASKED), order)
    assert np.abs(Intensity([ranked]).score_catalogue(ASKED) - order).max() > 0.1
    strengths = [Strength([model]).score_catalogue(ASKED) for model in (plain, ranked)]
    np.testing.assert_array_equal(*strengths)


def test_a_stored_model_ranks_with_the_same_bits(tmp_path: Path) -> None:
    scorer = Intensity([written(tmp_path, "click * hours^0.5"), written(tmp_path / "other", "click * hours^0.5")])
    arrays = scorer.arrays()
    restored = Intensity.from_arrays(arrays)
    np.testing.assert_array_equal(restored.score_catalogue(ASKED), scorer.score_catalogue(ASKED))
    assert restored.models[0].model.config == scorer.models[0].model.config
    offsets, item = split_candidates([[3], [8], [1], [5]])
    for model in restored.models:
        np.testing.assert_array_equal(
            model.expected(ASKED, offsets, item, "hours"), scorer.models[0].expected(ASKED, offsets, item, "hours")
        )


def test_retrieval_by_nearness_is_for_the_logit_of_order(tmp_path: Path) -> None:
    assert item_search(written(tmp_path / "a", "click"), 5, "exact") is None
    found = item_search(written(tmp_path / "b", "order * click"), 5, "exact")
    assert found is not None
    assert found.retrieve == 5


@pytest.mark.parametrize("values", [None, {}, {"scale": float("nan"), "shift": 0.0}, {"scale": "1", "shift": 0.0}])
def test_a_task_without_a_calibration_is_refused(tmp_path: Path, values: dict | None) -> None:
    written(tmp_path, "click")
    tasks = {**CALIBRATIONS, "hours": values}
    files.write_text(tmp_path / "calibration.json", json.dumps({"scale": 1.0, "shift": 0.0, "tasks": tasks}))
    with pytest.raises(ArtifactError, match="no valid calibration of the task 'hours'; run finetune again"):
        open_model(tmp_path)


def test_words_explain_the_logit_of_order_alone(tmp_path: Path) -> None:
    require_order(written(tmp_path / "plain", None))
    with pytest.raises(ConfigError, match=r"ranks by click\^1 \* hours\^0.5 \(finetune.rank_by\), but words explain"):
        require_order(written(tmp_path / "ranked", "click * hours^0.5"))


def test_a_model_that_has_grown_keeps_the_calibrations_of_its_tasks(tmp_path: Path) -> None:
    model = written(tmp_path, "click * hours^0.5")
    grown = grown_models([model], [tmp_path], None, model.histories.users.features, model.moments)
    expected = Intensity([model]).score_catalogue(ASKED)
    np.testing.assert_array_equal(Intensity(grown).score_catalogue(ASKED), expected)
