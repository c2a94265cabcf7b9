"""The approximate search of items: against the exact one, as a part of a decision, and without its package."""

import logging
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from interestrec.core.errors import ArtifactError, ConfigError
from interestrec.corpus.store import Corpus
from interestrec.io import files
from interestrec.model.two_tower_arrays import TwoTowerArrays
from interestrec.model.two_tower_config import ItemArrays
from interestrec.scorers import intensity, item_search
from interestrec.scorers.intensity import Intensity
from interestrec.scorers.item_search import ApproximateSearch, ExactSearch
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scorers.two_tower_model import TwoTowerModel
from interestrec.scorers.user_inputs import ItemUserInputs
from tests.scorers.models import write_model
from tests.scoring.asking import requests
from tests.scoring.corpora import Event, write_event_log

USERS, ITEMS, WIDTH = 30, 1500, 12
ASKED = requests(
    [1, 2, 3], [], [4, 5, 600, 7], [1499], intensity=[1, 1, 0.5, 1, 1, 1, 1, 0.2], days=range(8), at=[20, 9, 20, None]
)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> ScorerInputs:
    root, rng = tmp_path_factory.mktemp("search"), np.random.default_rng(1)
    vectors = rng.normal(size=(ITEMS, WIDTH)).astype(np.float32)
    write_model(root / "model", vectors, rng.integers(-1, 3, (ITEMS, 2)).astype(np.int32), USERS)
    log = [Event(n % USERS, int(item), float(n)) for n, item in enumerate(rng.integers(0, ITEMS, 90))]
    corpus = Corpus(write_event_log(root / "corpus", USERS, ITEMS, log), None)
    return ScorerInputs(root / "model", root / "encoder", corpus, root, (), seed=1)


@pytest.fixture(scope="module")
def fitted(inputs: ScorerInputs) -> Intensity:
    return intensity.fit(inputs, 40, "approximate")


def graph_of(scorer: Intensity) -> ApproximateSearch:
    assert isinstance(scorer.search, ApproximateSearch)
    return scorer.search


def first_items(model: TwoTowerModel, count: int) -> TwoTowerModel:
    """The model as it was before its last items came."""
    assert isinstance(model.histories, ItemUserInputs)
    items = ItemArrays(*(array[:count] for array in model.items))
    histories = ItemUserInputs(items, model.model.config.max_history, model.histories.users)
    return TwoTowerModel(
        TwoTowerArrays(model.model.config, model.model.weights, items), histories, None, model.calibration
    )


def test_products_of_its_vectors_are_the_nearness(inputs: ScorerInputs) -> None:
    model = inputs.two_towers[0]
    histories, catalogue = model.histories(ASKED), model.catalogue
    products = catalogue.user_vectors(histories) @ catalogue.item_vectors(slice(0, ITEMS)).T
    np.testing.assert_allclose(products, catalogue.nearness(histories), rtol=1e-4, atol=1e-5)


def test_a_search_of_nearly_all_items_finds_those_of_the_exact_one(
    inputs: ScorerInputs, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "interestrec")
    everything = intensity.fit(inputs, ITEMS - 1, "approximate")
    assert everything.search_recall is not None
    assert everything.search_recall > 0.9995  # the graph keeps vectors by half of their bits
    assert f"of the {ITEMS - 1} nearest items of {USERS} users" in caplog.text
    assert "WARNING" not in caplog.text
    exact = intensity.fit(inputs, None).score_catalogue(ASKED)
    differs = ~np.isclose(everything.score_catalogue(ASKED), exact, rtol=1e-5, atol=1e-5)
    assert (differs.sum(axis=1) <= 1).all()


def test_most_of_the_nearest_are_found_and_the_others_share_the_next_lower_score(
    inputs: ScorerInputs, fitted: Intensity
) -> None:
    model, search = inputs.two_towers[0], graph_of(fitted)
    exact = intensity.fit(inputs, None).score_catalogue(ASKED)
    score, true = fitted.score_catalogue(ASKED), ExactSearch(model.catalogue, 40).nearest(model.histories(ASKED))
    for row, items in enumerate(search.nearest(model.histories(ASKED))):
        assert len(set(items.tolist())) == 40
        assert np.isin(true[row], items).mean() > 0.9
        np.testing.assert_allclose(score[row, items], exact[row, items], rtol=1e-5, atol=1e-6)
        others = np.delete(score[row], items)
        assert set(others.tolist()) == {float(np.nextafter(score[row, items].min(), np.float32(-np.inf)))}


def test_where_the_graph_leads_to_fewer_items_these_are_all_that_rank(
    fitted: Intensity, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Torn:
        def __init__(self, graph: object) -> None:
            self.graph = graph

        def search(self, *asked: object, **options: object) -> object:
            found = self.graph.search(*asked, **options)  # type: ignore[attr-defined]
            return replace(found, keys=found.keys[:3])

    whole = fitted.score_catalogue(ASKED)
    monkeypatch.setattr(graph_of(fitted), "_graph", Torn(graph_of(fitted)._graph))
    score = fitted.score_catalogue(ASKED)
    assert [len(np.unique(row)) for row in score] == [4] * len(ASKED)
    highest = np.argsort(-score, axis=1)[:, :3]
    np.testing.assert_array_equal(*(np.take_along_axis(found, highest, axis=1) for found in (score, whole)))


def test_a_fit_twice_has_the_same_bytes_and_is_restored_with_the_same_scores(
    inputs: ScorerInputs, fitted: Intensity, tmp_path: Path
) -> None:
    again = intensity.fit(inputs, 40, "approximate")
    arrays, others = fitted.arrays(), again.arrays()
    assert set(arrays) == set(others) > {"retrieve", "search.index", "search.recall"}
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, others[name])
    files.write_safetensors(tmp_path / "kept", arrays)
    restored = Intensity.from_arrays(files.read_safetensors(tmp_path / "kept"))
    assert restored.search_recall == fitted.search_recall
    np.testing.assert_array_equal(restored.score_catalogue(ASKED), fitted.score_catalogue(ASKED))
    with pytest.raises(ArtifactError, match=r"index of rank\.search is damaged"):
        Intensity.from_arrays({**arrays, "search.index": arrays["search.index"][:-9].copy()})


def test_new_items_join_the_graph_and_the_others_stay_in_it(inputs: ScorerInputs) -> None:
    model = inputs.two_towers[0]
    before = Intensity([first_items(model, 1450)]).grown([first_items(model, 1450)], 40, "approximate")
    grown = before.grown([model], 40, "approximate")
    new = ItemUserInputs(model.items, 4, model.histories.users)  # type: ignore[attr-defined]
    near_new = new(requests([1460], [1475, 1480], at=[20, 20]))
    found, true = graph_of(grown).nearest(near_new), ExactSearch(model.catalogue, 40).nearest(near_new)
    assert (found >= 1450).any()
    assert np.mean([np.isin(a, b).mean() for a, b in zip(true, found, strict=True)]) > 0.9
    twice = before.grown([model], 40, "approximate")
    np.testing.assert_array_equal(graph_of(twice).stored, graph_of(grown).stored)
    same = grown.grown([model], 40, "approximate")
    assert graph_of(same).stored is graph_of(grown).stored
    with pytest.raises(ArtifactError, match="has 1450 items, but the model 1500; run `interestrec rank --force`"):
        ApproximateSearch(model.catalogue, 40, graph_of(before).stored)


def test_a_low_recall_is_a_warning(
    inputs: ScorerInputs, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ApproximateSearch, "nearest", lambda self, histories: np.zeros((len(histories), 40), np.int64))
    recall = intensity.fit(inputs, 40, "approximate").search_recall
    assert recall is not None
    assert recall <= 1 / 40
    assert caplog.records[-1].levelname == "WARNING"
    assert "it reads more with a larger rank.retrieve, and rank.search exact misses none" in caplog.text


def test_without_its_package_it_says_how_to_get_it(
    inputs: ScorerInputs, fitted: Intensity, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = fitted.arrays()
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    for build in (lambda: intensity.fit(inputs, 40, "approximate"), lambda: Intensity.from_arrays(arrays)):
        with pytest.raises(ConfigError, match=r"pip install 'interestrec\[search\]'"):
            build()
    assert intensity.fit(inputs, 40, "exact").search is not None
    assert item_search.item_search(inputs.two_towers[0], ITEMS, "approximate") is None  # all are scored in full
