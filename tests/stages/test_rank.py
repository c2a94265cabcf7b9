"""The stage that fits and scores every system."""

import dataclasses
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow.parquet as pq
import pytest

from interestrec.core import files, schemas
from interestrec.core.artifacts import Recipe, building
from interestrec.core.errors import ArtifactError, DataError
from interestrec.core.rank_settings import ComponentName, SystemName
from interestrec.stages import rank
from tests.scoring.corpora import Event
from tests.stages.ranking import log_of_events, stand_in_for_intensity, without_timing, workspace

SYSTEMS = ["interestrec", "random", "popularity", "trending", "item_knn", "als", "content"]
COMPONENTS = ["intensity", "item_item", "collaborative", "trending"]


@pytest.fixture(autouse=True)
def intensity(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in_for_intensity(monkeypatch)


def test_every_system_ranks_the_same_candidates_and_the_catalogue(tmp_path: Path) -> None:
    result = rank.run(workspace(tmp_path, log_of_events()))
    path = result.artifact.path
    shown, whole = (pq.read_table(path / name).to_pandas() for name in ("impressions.parquet", "catalogue.parquet"))
    assert pq.read_schema(path / "impressions.parquet").equals(
        schemas.with_components(schemas.RANKED_IMPRESSIONS, COMPONENTS)
    )
    assert pq.read_schema(path / "catalogue.parquet").equals(
        schemas.with_components(schemas.RANKED_CATALOGUE, COMPONENTS)
    )
    assert set(shown["system"]) == set(whole["system"]) == set(SYSTEMS)
    pairs = {name: group[["impression_id", "item_id"]].values.tolist() for name, group in shown.groupby("system")}
    assert all(pairs[name] == pairs["random"] for name in SYSTEMS)
    for frame in (shown, whole):
        assert frame["intensity"].between(0, 1).all()
        ours = frame["system"] == "interestrec"
        assert frame.loc[ours, COMPONENTS].notna().all(axis=None)
        assert frame.loc[~ours, COMPONENTS[1:]].isna().all(axis=None)
    for _, group in whole.groupby(["system", "user_id"]):
        assert group["rank"].tolist() == list(range(1, len(group) + 1))
        assert group["score"].is_monotonic_decreasing


def test_lists_and_truth_leave_out_what_the_user_has_had(tmp_path: Path) -> None:
    log = log_of_events()
    path = rank.run(workspace(tmp_path, log)).artifact.path
    had = {(f"u{e.user}", f"i{e.item}") for e in log if e.split != "test"}
    had_in_test = {(f"u{e.user}", f"i{e.item}") for e in log if e.split == "test"}
    whole, truth = (pq.read_table(path / name).to_pandas() for name in ("catalogue.parquet", "truth.parquet"))
    assert not had & set(zip(whole["user_id"], whole["item_id"], strict=True))
    assert set(zip(truth["user_id"], truth["item_id"], strict=True)) == had_in_test - had
    assert (truth["relevant"] == (truth["label"] >= 0.5)).all()
    assert set(whole["user_id"]) == {user for user, _ in had_in_test}


def test_seen_items_stay_in_when_asked_to(tmp_path: Path) -> None:
    log = log_of_events()
    path = rank.run(workspace(tmp_path, log, seen="in")).artifact.path
    truth = pq.read_table(path / "truth.parquet").to_pandas()
    expected = {(f"u{e.user}", f"i{e.item}") for e in log if e.split == "test"}
    assert set(zip(truth["user_id"], truth["item_id"], strict=True)) == expected


def test_two_runs_are_byte_equal_and_the_second_is_up_to_date(tmp_path: Path) -> None:
    context = workspace(tmp_path, log_of_events())
    first = rank.run(context)
    before = without_timing(first.artifact.path)
    assert not rank.run(context).built
    again = rank.run(dataclasses.replace(context, force=True))
    assert again.built
    assert without_timing(again.artifact.path) == before


def test_the_test_split_moves_neither_fits_nor_weights(tmp_path: Path) -> None:
    log = log_of_events()
    rng = np.random.default_rng(9)
    users = rng.permutation([e.user for e in log if e.split == "test"])
    items = iter(rng.permutation([e.item for e in log if e.split == "test"]))
    owners = iter(users)
    permuted = [e._replace(user=int(next(owners)), item=int(next(items))) if e.split == "test" else e for e in log]
    deleted = [e for e in log if e.split != "test"] + [Event(0, 1, 29.0, "test")]
    extra = [*log, Event(1, 24, 28.0, "test"), Event(2, 25, 28.0, "test")]  # items that only test has
    found = []
    for name, changed, n_items in (
        ("a", log, 24),
        ("b", permuted, 24),
        ("c", deleted, 24),
        ("d", extra, 26),
    ):
        path = rank.run(workspace(tmp_path / name, changed, n_items)).artifact.path
        found.append(files.read_json(path / "systems.json")["systems"])
    assert found[1] == found[0]
    assert found[2] == found[0]
    assert found[3] == found[0]


def test_refit_lets_the_valid_split_into_the_counts_only(tmp_path: Path) -> None:
    log = [*log_of_events(), *(Event(user, 3, 24.5, "valid") for user in range(40))]
    tables, weights = [], []
    for refit in (True, False):
        path = rank.run(workspace(tmp_path / str(refit), log, refit=refit, seen="in")).artifact.path
        frame = pq.read_table(path / "catalogue.parquet").to_pandas()
        tables.append(frame[frame["system"] == "trending"].sort_values("rank")["item_id"].iloc[0])
        weights.append(files.read_json(path / "systems.json")["systems"]["interestrec"]["catalogue"]["weights"])
    assert tables[0] == "i3"
    assert tables[1] != "i3"
    assert weights[0] == weights[1]


def test_impressions_with_both_classes_get_weights_of_their_own(tmp_path: Path) -> None:
    path = rank.run(workspace(tmp_path, None)).artifact.path
    ours = files.read_json(path / "systems.json")["systems"]["interestrec"]
    assert ours["impressions"]["fitted_on_lists"] > 5
    assert ours["impressions"]["valid_blend"]["auc"]["interestrec"] > 0.6
    assert ours["impressions"]["weights"] != ours["catalogue"]["weights"]
    shown = pq.read_table(path / "impressions.parquet").to_pandas()
    for _, group in shown.groupby(["system", "impression_id"]):
        assert sorted(group["rank"]) == list(range(1, len(group) + 1))
        assert group.sort_values("rank")["score"].is_monotonic_decreasing


def test_baselines_alone_need_neither_a_blend_nor_the_intensity_model(tmp_path: Path) -> None:
    path = rank.run(workspace(tmp_path, log_of_events(), systems=["popularity", "content"])).artifact.path
    shown = pq.read_table(path / "impressions.parquet")
    assert shown.schema.equals(schemas.with_components(schemas.RANKED_IMPRESSIONS, ["intensity"]))
    assert set(shown["system"].to_pylist()) == {"popularity", "content"}


def test_every_scorer_there_is_can_be_a_system_and_those_of_labels_say_intensities(tmp_path: Path) -> None:
    every = list(get_args(SystemName))
    components = list(get_args(ComponentName))
    context = workspace(
        tmp_path, log_of_events(), systems=every, components=components, bpr={"factors": 4, "iterations": 3}
    )
    path = rank.run(context).artifact.path
    described = files.read_json(path / "systems.json")["systems"]
    assert set(described) == set(every)
    assert described["interestrec"]["components"]["item_item"] == "item_item"
    assert "unit" not in described["item_item"]
    shown = pq.read_table(path / "impressions.parquet").to_pandas()
    assert set(shown["system"]) == set(every)
    of_labels = shown[shown["system"].isin(["mean_intensity", "bias", "mf"])]
    np.testing.assert_array_equal(of_labels["intensity"], of_labels["score"].astype(np.float32))
    assert of_labels.groupby("system")["score"].nunique()["bias"] > 10
    ours = shown[shown["system"] == "interestrec"]
    assert ours[components].notna().all(axis=None)


def test_ours_without_the_intensity_component_has_its_score_calibrated(tmp_path: Path) -> None:
    path = rank.run(workspace(tmp_path, None, components=["item_item", "trending"])).artifact.path
    shown = pq.read_table(path / "impressions.parquet").to_pandas()
    ours = shown[shown["system"] == "interestrec"]
    assert ours["intensity"].between(0, 1).all()
    assert ours["intensity"].corr(ours["score"], method="spearman") > 0.5


def test_a_model_of_another_corpus_is_refused(tmp_path: Path) -> None:
    context = workspace(tmp_path, log_of_events())
    with building(tmp_path, Recipe("corpus", {"other": "1"}, {}, 1)) as directory:
        files.write_json(directory / "quality.json", {})
    with pytest.raises(ArtifactError, match="another corpus"):
        rank.run(context)


def test_an_empty_test_split_and_a_log_without_positives_are_data_errors(tmp_path: Path) -> None:
    log = log_of_events()
    with pytest.raises(DataError, match="test split is empty"):
        rank.run(workspace(tmp_path / "a", [e for e in log if e.split != "test"]))
    with pytest.raises(DataError, match="relevant"):
        rank.run(workspace(tmp_path / "b", [e._replace(intensity=0.25) for e in log]))
