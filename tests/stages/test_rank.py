"""The stage that fits and scores every system."""

import dataclasses
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interestrec.core.errors import ArtifactError, ConfigError, DataError, DeviceError
from interestrec.corpus.preprocess_settings import PreprocessSettings, SplitSettings
from interestrec.corpus.store import Corpus
from interestrec.io import files, schemas
from interestrec.scorers import queries
from interestrec.scorers import requests as requests_module
from interestrec.scorers.item_knn import ItemKnn
from interestrec.scorers.registry import SCORERS
from interestrec.scorers.requests import Requests
from interestrec.scoring.decision import voters
from interestrec.scoring.fit_ensemble import reference_ensemble
from interestrec.scoring.rank_settings import ComponentName, SystemName
from interestrec.scoring.shards import sampled_users
from interestrec.stages import rank
from interestrec.stages.run import RankRequest
from interestrec.workspace.artifacts import Recipe, staged_version
from tests.scoring.corpora import DAY, Event
from tests.stages.ranking import (
    COMPONENTS,
    N_ITEMS,
    SYSTEMS,
    log_of_events,
    stand_in_for_intensity,
    without_timing,
    workspace,
)

ALONE = ["only:intensity", "only:item_item"]  # the other components are systems themselves


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
    assert set(shown["system"]) == set(whole["system"]) == {*SYSTEMS, *ALONE}
    pairs = {name: group[["impression_id", "item_id"]].values.tolist() for name, group in shown.groupby("system")}
    assert all(pairs[name] == pairs["random"] for name in [*SYSTEMS, *ALONE])
    for frame in (shown, whole):
        assert frame["predicted"].between(0, 1).all()
        ours = frame["system"] == "interestrec"
        assert frame.loc[ours, COMPONENTS].notna().all(axis=None)
        assert frame.loc[~ours, COMPONENTS].isna().all(axis=None)
    by_pair = {name: group.set_index(["user_id", "item_id"]) for name, group in shown.groupby("system")}
    for alone, component in (("only:intensity", "intensity"), ("als", "collaborative")):
        np.testing.assert_array_equal(by_pair[alone]["score"], by_pair["interestrec"][component])
    for _, group in whole.groupby(["system", "user_id"]):
        assert group["rank"].tolist() == list(range(1, len(group) + 1))
        assert group["score"].is_monotonic_decreasing


def test_a_missing_gpu_is_said_before_anything_is_fitted(tmp_path: Path) -> None:
    context = workspace(tmp_path, log_of_events())
    runtime = context.settings.runtime.model_copy(update={"device": "gpu"})
    with pytest.raises(DeviceError, match=r"runtime\.device is gpu"):
        rank.run(dataclasses.replace(context, settings=context.settings.model_copy(update={"runtime": runtime})))
    assert not (tmp_path / "decision").exists()


def test_few_calls_lie_between_the_stage_and_a_scorer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    score, stacks = ItemKnn.score_catalogue, []

    def score_catalogue(self: ItemKnn, requests: Requests) -> np.ndarray:
        stacks.append([frame.name for frame in traceback.extract_stack() if "interestrec/" in frame.filename])
        return score(self, requests)

    monkeypatch.setattr(ItemKnn, "score_catalogue", score_catalogue)
    rank.run(workspace(tmp_path, log_of_events()))
    writing = next(names for names in stacks if "write_lists" in names)
    assert writing[writing.index("build") :] == ["build", "write_lists", "_list_tables", "scored", "score_catalogue"]


@pytest.mark.parametrize("threads", [None, 1])
def test_blocks_of_lists_are_made_by_as_many_threads_as_there_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int | None
) -> None:
    monkeypatch.setattr(requests_module, "_CELLS", 24 * 7)  # blocks of seven users
    score, of_lists = ItemKnn.score_catalogue, []

    def score_catalogue(self: ItemKnn, requests: Requests) -> np.ndarray:
        if "_list_tables" in [frame.name for frame in traceback.extract_stack()]:
            of_lists.append(threading.current_thread() is threading.main_thread())
        return score(self, requests)

    monkeypatch.setattr(ItemKnn, "score_catalogue", score_catalogue)
    context = workspace(tmp_path, log_of_events())
    runtime = context.settings.runtime.model_copy(update={"threads": threads})
    rank.run(dataclasses.replace(context, settings=context.settings.model_copy(update={"runtime": runtime})))
    assert len(of_lists) > 1
    assert all(of_lists) if threads == 1 else not any(of_lists)


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
    path = rank.run(workspace(tmp_path, log, rules={"seen": "in"})).artifact.path
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


@pytest.mark.slow
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
        path = rank.run(workspace(tmp_path / str(refit), log, refit=refit, rules={"seen": "in"})).artifact.path
        frame = pq.read_table(path / "catalogue.parquet").to_pandas()
        tables.append(frame[frame["system"] == "trending"].sort_values("rank")["item_id"].iloc[0])
        weights.append(files.read_json(path / "systems.json")["systems"]["interestrec"]["catalogue"]["known_users"])
    assert tables[0] == "i3"
    assert tables[1] != "i3"
    assert weights[0] == weights[1]


def test_impressions_with_both_classes_get_weights_of_their_own(tmp_path: Path) -> None:
    path = rank.run(workspace(tmp_path, None)).artifact.path
    ours = files.read_json(path / "systems.json")["systems"]["interestrec"]
    assert ours["impressions"]["lists"] > 5
    assert max(ours["impressions"]["alone"].values()) > 0.6
    assert ours["impressions"]["known_users"] != ours["catalogue"]["known_users"]
    assert ours["impressions"]["metric"] == "auc"
    shown = pq.read_table(path / "impressions.parquet").to_pandas()
    for _, group in shown.groupby(["system", "impression_id"]):
        assert sorted(group["rank"]) == list(range(1, len(group) + 1))
        assert group.sort_values("rank")["score"].is_monotonic_decreasing


def test_baselines_alone_need_neither_a_blend_nor_the_intensity_model(tmp_path: Path) -> None:
    path = rank.run(workspace(tmp_path, log_of_events(), systems=["popularity", "content"])).artifact.path
    shown = pq.read_table(path / "impressions.parquet")
    assert shown.schema.equals(schemas.RANKED_IMPRESSIONS)
    assert set(shown["system"].to_pylist()) == {"popularity", "content"}


def test_every_scorer_there_is_can_be_a_system_and_those_of_labels_say_intensities(tmp_path: Path) -> None:
    every, components = list(get_args(SystemName)), list(get_args(ComponentName))
    context = workspace(
        tmp_path, log_of_events(), systems=every, components=components, bpr={"factors": 4, "iterations": 3}
    )
    path = rank.run(context).artifact.path
    described = files.read_json(path / "systems.json")["systems"]
    assert set(described) == {*every, *ALONE}
    assert described["interestrec"]["components"]["item_item"] == "item_item"
    assert "unit" not in described["only:item_item"]
    shown = pq.read_table(path / "impressions.parquet").to_pandas()
    of_labels = shown[shown["system"].isin(["mean_intensity", "bias", "mf"])]
    np.testing.assert_array_equal(of_labels["predicted"], of_labels["score"].astype(np.float32))
    assert of_labels.groupby("system", observed=True)["score"].nunique()["bias"] > 10
    ours = shown[shown["system"] == "interestrec"]
    assert ours[components].notna().all(axis=None)


def test_ours_without_estimators_has_its_score_calibrated(tmp_path: Path) -> None:
    path = rank.run(workspace(tmp_path, None, components=["item_item", "trending"], estimators=[])).artifact.path
    shown = pq.read_table(path / "impressions.parquet").to_pandas()
    ours = shown[shown["system"] == "interestrec"]
    assert ours["predicted"].between(0, 1).all()
    assert ours["predicted"].corr(ours["score"], method="spearman") > 0.5


def test_a_model_of_another_corpus_is_refused(tmp_path: Path) -> None:
    context = workspace(tmp_path, log_of_events())
    with staged_version(tmp_path, Recipe("corpus", {"other": "1"}, {}, 1)) as directory:
        files.write_json(directory / "quality.json", {})
    with pytest.raises(ArtifactError, match="another corpus"):
        rank.run(context)


def test_an_empty_test_split_and_a_log_without_positives_are_data_errors(tmp_path: Path) -> None:
    log = log_of_events()
    with pytest.raises(DataError, match="test split is empty"):
        rank.run(workspace(tmp_path / "a", [e for e in log if e.split != "test"]))
    with pytest.raises(DataError, match="relevant"):
        rank.run(workspace(tmp_path / "b", [e._replace(intensity=0.25) for e in log]))


def test_settings_are_chosen_on_valid_with_the_same_budget(tmp_path: Path) -> None:
    systems = ["als", "item_knn", "trending", "bias"]
    described = [
        files.read_json(
            rank.run(workspace(tmp_path / name, log, systems=systems, trials=4)).artifact.path / "systems.json"
        )
        for name, log in (
            ("a", log_of_events()),
            ("b", [e for e in log_of_events() if e.split != "test" or e.user < 3]),
        )
    ]
    assert described[0]["systems"] == described[1]["systems"]  # whoever is tested
    for name in systems:
        tried = described[0]["tried"][name]
        metric = "rmse" if name == "bias" else "ndcg@10"
        assert 3 < sum(trial["share_of_users"] for trial in tried) <= 4
        points = [{key: value for key, value in trial.items() if key != metric} for trial in tried]
        assert len({str(point) for point in points}) == len(points)
        whole = [trial for trial in tried if trial["share_of_users"] == 1.0]
        best = (min if name == "bias" else max)(whole, key=lambda trial: trial[metric])
        chosen = described[0]["systems"][name]
        assert all(chosen[key] == value for key, value in best.items() if key not in (metric, "share_of_users"))


def test_fixed_weights_and_a_single_component(tmp_path: Path) -> None:
    blend = {"method": "fixed", "weights": {"trending": 1.0}}
    for name, chosen in (("fixed", blend), ("single", {"method": "single", "component": "trending"})):
        path = rank.run(workspace(tmp_path / name, log_of_events(), blend=chosen)).artifact.path
        whole = pq.read_table(path / "catalogue.parquet").to_pandas()
        lists = {
            s: whole[whole["system"] == s][["user_id", "item_id"]].values.tolist() for s in ("interestrec", "trending")
        }
        assert lists["interestrec"] == lists["trending"]


def test_leaving_components_out_makes_a_system_of_the_others(tmp_path: Path) -> None:
    path = rank.run(workspace(tmp_path, log_of_events(), ablation="full")).artifact.path
    systems = set(files.read_json(path / "systems.json")["systems"])
    assert {f"without:{name}" for name in COMPONENTS} < systems


def test_lists_of_a_moment_need_no_test_and_know_all_that_was_before(tmp_path: Path) -> None:
    log = log_of_events()
    context = workspace(tmp_path, log, systems=["trending", "item_knn"], rules={"seen": "out"})
    users = tmp_path / "users.txt"
    users.write_text("u7\nu3\n")
    rank_request = RankRequest(as_of=27 * DAY, users=users)
    result = rank.run(dataclasses.replace(context, rank_request=rank_request))
    path = result.artifact.path
    assert path.resolve() == (tmp_path / "lists").resolve()
    assert {p.name for p in path.iterdir()} == {"catalogue.parquet", "systems.json", "manifest.json", "timing.jsonl"}
    whole = pq.read_table(path / "catalogue.parquet").to_pandas()
    assert list(dict.fromkeys(whole["user_id"])) == ["u7", "u3"]
    ours = rank.run(
        dataclasses.replace(workspace(tmp_path / "ours", log), rank_request=RankRequest(as_of=27 * DAY))
    ).artifact.path
    assert set(pq.read_table(ours / "catalogue.parquet")["system"].to_pylist()) == {"interestrec"}
    had = {(f"u{e.user}", f"i{e.item}") for e in log if e.day is not None and e.day < 27}
    after = {(f"u{e.user}", f"i{e.item}") for e in log if e.day is not None and e.day >= 27} - had
    listed = set(zip(whole["user_id"], whole["item_id"], strict=True))
    assert not listed & had
    assert {pair for pair in after if pair[0] in ("u3", "u7")} & listed
    later = [*log, *(Event(user, 5, 28.0, "test") for user in range(40))]
    again = rank.run(
        dataclasses.replace(
            workspace(tmp_path / "b", later, systems=["trending", "item_knn"]), rank_request=rank_request
        )
    )
    assert pq.read_table(again.artifact.path / "catalogue.parquet").equals(pq.read_table(path / "catalogue.parquet"))
    users.write_text("u7\n\nnobody\n")
    with pytest.raises(DataError, match=r"users.txt:3: no user 'nobody'"):
        rank.run(dataclasses.replace(context, rank_request=rank_request))


@pytest.mark.slow
def test_shards_are_the_rows_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests_module, "_CELLS", 24 * 7)  # blocks of seven users
    monkeypatch.setattr(requests_module, "_IMPRESSIONS", 7)
    context = workspace(tmp_path, log_of_events())
    whole = rank.run(context).artifact.path
    parts = [
        rank.run(dataclasses.replace(context, rank_request=RankRequest(shard=(part, 3)))).artifact.path
        for part in (1, 2, 3)
    ]
    for name in ("impressions.parquet", "catalogue.parquet", "cold_catalogue.parquet", "truth.parquet"):
        wanted = pq.read_table(whole / name).to_pandas()
        tables = [pq.read_table(path / name).to_pandas() for path in parts]
        assert all(len(table) for table in tables) or name == "cold_catalogue.parquet"
        keys = [c for c in ("system", "impression_id", "user_id", "item_id") if c in wanted]
        found = pd.concat(tables).astype({"system": str} if "system" in wanted else {}).sort_values(keys)
        wanted = wanted.astype({"system": str} if "system" in wanted else {}).sort_values(keys)
        pd.testing.assert_frame_equal(found.reset_index(drop=True), wanted.reset_index(drop=True), check_exact=True)


def test_a_shard_for_a_moment_reads_the_events_of_its_users_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests_module, "_CELLS", N_ITEMS * 7)  # blocks of seven users
    monkeypatch.setattr(files, "ROW_GROUP", 50)
    context = workspace(tmp_path, log_of_events())
    request = RankRequest(as_of=27 * DAY)
    whole = rank.run(dataclasses.replace(context, rank_request=request)).artifact.path
    log = tmp_path / "decision" / "log" / "timelines.parquet"
    bounds, asked, stream = files.row_group_bounds(log, "user"), [], files.stream_parquet

    def streamed(path: Path, *arguments: Any, row_groups: list[int] | None = None) -> Iterator[pa.Table]:
        if path.name == log.name:
            asked.append(None if row_groups is None else (path.resolve() == log.resolve(), len(row_groups)))
        return stream(path, *arguments, row_groups=row_groups)

    monkeypatch.setattr(files, "stream_parquet", streamed)
    parts = [
        rank.run(dataclasses.replace(context, rank_request=dataclasses.replace(request, shard=(part, 3))))
        for part in (1, 2, 3)
    ]
    tables = [pq.read_table(part.artifact.path / "catalogue.parquet") for part in parts]
    assert all(table.num_rows for table in tables)
    found, wanted = pa.concat_tables(tables), pq.read_table(whole / "catalogue.parquet")
    assert found.to_pylist() == wanted.to_pylist()
    assert None not in asked
    assert all(groups < len(bounds) for is_log, groups in asked if is_log)


def test_rules_hold_in_lists_and_truth(tmp_path: Path) -> None:
    available = tmp_path / "available.txt"
    available.write_text("\n".join(f"i{n}" for n in range(0, N_ITEMS, 2)))
    context = workspace(tmp_path, log_of_events(), rules={"available": str(available)})
    path = rank.run(context).artifact.path
    for name in ("catalogue.parquet", "truth.parquet"):
        assert set(pq.read_table(path / name)["item_id"].to_pylist()) <= {f"i{n}" for n in range(0, N_ITEMS, 2)}
    available.write_text("i1\ni3\nnot-yet-in-the-catalogue\n")
    again = rank.run(context)
    assert again.built  # other content under the same name
    assert set(pq.read_table(again.artifact.path / "catalogue.parquet")["item_id"].to_pylist()) == {"i1", "i3"}
    available.write_text("x\n")
    with pytest.raises(DataError, match="none of its lines"):
        rank.run(context)


def test_rearranged_lists_stand_beside_those_before(tmp_path: Path) -> None:
    path = rank.run(workspace(tmp_path, log_of_events(), rules={"diversity": 0.7}, top_k=5)).artifact.path
    whole = pq.read_table(path / "catalogue.parquet").to_pandas()
    ours, before = (whole[whole["system"] == name] for name in ("interestrec", "before_rules"))
    assert len(ours) == len(before)
    assert set(ours["user_id"]) == set(before["user_id"])
    assert ours["item_id"].tolist() != before["item_id"].tolist()
    assert ours[ours["rank"] == 1]["item_id"].tolist() == before[before["rank"] == 1]["item_id"].tolist()


def test_cold_items_have_lists_of_their_own(tmp_path: Path) -> None:
    log = [*log_of_events(), Event(1, 24, 28.0, "test"), Event(2, 25, 28.0, "test")]
    path = rank.run(workspace(tmp_path, log, 27)).artifact.path
    cold = pq.read_table(path / "cold_catalogue.parquet").to_pandas()
    assert set(cold["user_id"]) == {"u1", "u2"}
    assert set(cold["item_id"]) == {"i24", "i25", "i26"}
    assert set(cold["system"]) == {*SYSTEMS, *ALONE}
    id_only = cold[cold["system"] == "als"]
    assert id_only["score"].nunique() == 1  # nothing is known of them


def test_a_run_without_splits_decides_as_a_verified_one_and_knows_everything(tmp_path: Path) -> None:
    log = log_of_events()
    verified = workspace(tmp_path / "verified", log, trials=3)
    decided = files.read_json(rank.run(verified).artifact.path / "systems.json")
    everything = [e._replace(split="train") for e in log]
    context = workspace(tmp_path / "whole", everything, trials=3)
    split = SplitSettings(method="none", verified=tmp_path / "verified")
    settings = context.settings.model_copy(update={"preprocess": PreprocessSettings(split=split)})
    whole = dataclasses.replace(context, settings=settings, rank_request=RankRequest(as_of=31 * DAY))
    path = rank.run(whole).artifact.path
    described = files.read_json(path / "systems.json")
    assert set(described["systems"]) == {"interestrec"}
    assert described["systems"]["interestrec"] == decided["systems"]["interestrec"]
    estimators = set(decided["systems"]["interestrec"]["intensity"]) - {"strength", "constant"}
    names = {"trending", "item_item", "item_knn", "als", "popularity", *estimators}
    assert described["scorers"] == {name: decided["scorers"][name] for name in described["scorers"]}
    assert set(described["scorers"]) == names
    lists = pq.read_table(path / "catalogue.parquet").to_pandas()
    had = {(f"u{e.user}", f"i{e.item}") for e in log}
    assert not had & set(zip(lists["user_id"], lists["item_id"], strict=True))
    assert lists["predicted"].between(0, 1).all()
    other = settings.rank.model_copy(update={"components": ["intensity", "trending"]})
    changed = dataclasses.replace(whole, settings=settings.model_copy(update={"rank": other}))
    with pytest.raises(ConfigError, match=r"other values of rank\.components"):
        rank.run(changed)
    rank.run(workspace(tmp_path / "verified", log, estimators=[]))
    without = settings.rank.model_copy(update={"estimators": []})
    with pytest.raises(ConfigError, match="have no estimators of intensity"):
        rank.run(dataclasses.replace(whole, settings=settings.model_copy(update={"rank": without})))


def test_weights_by_segment_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    log = log_of_events()
    context = workspace(tmp_path, log, refit=False)
    path = rank.run(context).artifact.path
    described = files.read_json(path / "systems.json")
    corpus = Corpus((tmp_path / "corpus").resolve(), 0.5)
    cold = corpus.cold_items(1)
    ours = described["systems"]["interestrec"]
    names = [*COMPONENTS, "popularity"]
    cold_items = {"weights": dict.fromkeys(names, 2.0), "power": 0.5, "scale": 3.0, "offset": 0.5}
    ours["catalogue"]["known_users"]["cold_items"] = cold_items
    read = reference_ensemble(corpus, ours, {}, cold)
    (decision,) = read.systems.values()
    weights = decision.catalogue_blend.known
    assert (weights.offset, weights.scale, weights.cold.power) == (0.5, 3.0, 0.5)
    assert weights.cold.values.tolist() == [2.0] * 5
    warm = ours["catalogue"]["known_users"]["warm_items"]["weights"]
    assert weights.warm.values.tolist() == [warm[name] for name in voters(decision.components)]


@pytest.mark.slow
def test_weights_are_fitted_on_one_half_of_valid_and_settings_on_the_other(tmp_path: Path) -> None:
    log = log_of_events()
    corpus = Corpus(rank.run(workspace(tmp_path / "a", log, trials=4)).artifact.path.parents[2] / "corpus", 0.5)
    select = corpus.in_valid_select
    assert set(queries.valid_impressions(corpus, True)).isdisjoint(queries.valid_impressions(corpus, False))
    rng = np.random.default_rng(3)

    def shuffled(half: bool) -> list[Event]:
        """Other items for the valid events of the users of one half."""
        return [
            e._replace(item=int(rng.integers(24))) if e.split == "valid" and select[e.user] == half else e for e in log
        ]

    found = {}
    for name, events in {"as it is": log, "select": shuffled(True), "blend": shuffled(False)}.items():
        path = rank.run(workspace(tmp_path / name, events, trials=4)).artifact.path
        found[name] = files.read_json(path / "systems.json")
    assert found["blend"]["tried"] == found["as it is"]["tried"] != found["select"]["tried"]
    ours = {
        name: files.read_json(
            rank.run(workspace(tmp_path / f"{name} 1", events, trials=1)).artifact.path / "systems.json"
        )["systems"]["interestrec"]
        for name, events in {"as it is": log, "select": shuffled(True), "blend": shuffled(False)}.items()
    }
    assert ours["select"] == ours["as it is"] != ours["blend"]


@pytest.mark.parametrize("blend", [{}, {"method": "single", "component": "collaborative"}], ids=["learned", "single"])
@pytest.mark.parametrize("of_events", [True, False], ids=["events", "impressions"])
def test_the_tie_order_decides_only_what_no_component_tells_apart(
    tmp_path: Path, blend: dict[str, str], of_events: bool
) -> None:
    """Also for users without a history and items without events, of whom collaborative filtering knows nothing."""
    log = [e for e in log_of_events() if e.split == "test" or (e.user >= 6 and e.item < N_ITEMS - 4)]
    path = rank.run(workspace(tmp_path, log if of_events else None, blend=blend)).artifact.path
    for name, owner in (("catalogue", "user_id"), ("cold_catalogue", "user_id"), ("impressions", "impression_id")):
        frame = pq.read_table(path / f"{name}.parquet").to_pandas()
        ours = frame[frame["system"] == "interestrec"].sort_values([owner, "rank"])
        tied = (ours["score"].diff() == 0) & (ours[owner] == ours[owner].shift())
        differs = (ours[COMPONENTS].diff() != 0).any(axis=1)
        assert len(ours) > 0 or name == "cold_catalogue"
        assert not (tied & differs).any(), ours[tied & differs]


def test_a_sample_of_users_has_the_lists_that_it_has_among_all(tmp_path: Path) -> None:
    whole = rank.run(workspace(tmp_path / "all", log_of_events())).artifact.path
    part = rank.run(workspace(tmp_path / "part", log_of_events(), users={"sample": 7})).artifact.path
    for name in ("catalogue.parquet", "truth.parquet", "impressions.parquet"):
        every, some = (pq.read_table(path / name).to_pandas() for path in (whole, part))
        chosen = set(some["user_id"])
        assert len(chosen) == 7 if name == "catalogue.parquet" else 0 < len(chosen) <= 7
        expected = every[every["user_id"].isin(chosen)].reset_index(drop=True)
        pd.testing.assert_frame_equal(
            some.sort_values([*some.columns[:4]]).reset_index(drop=True),
            expected.sort_values([*some.columns[:4]]).reset_index(drop=True),
        )
    counts, of_all = (files.read_json(path / "systems.json")["counts"] for path in (part, whole))
    assert (counts["catalogue_users"], counts["test_users"]) == (7, of_all["catalogue_users"])
    assert "test_users" not in files.read_json(whole / "systems.json")["counts"]


def test_a_larger_sample_has_the_users_of_a_smaller_one(tmp_path: Path) -> None:
    corpus = Corpus(workspace(tmp_path, log_of_events()).open("corpus").path, 0.5)
    small, large = (set(np.flatnonzero(sampled_users(corpus, most, 1))) for most in (5, 12))
    assert small < large
    assert len(large) == 12


@pytest.mark.parametrize("blocks", ["one", "many"])
def test_lists_of_candidates_are_the_exact_ones_where_all_items_are_candidates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocks: str
) -> None:
    systems = ["interestrec", *(name for name, entry in SCORERS.items() if entry.is_system)]
    chosen = {"systems": systems, "components": [*COMPONENTS, "session_knn", "covisit"], "trials": 1}
    exact = rank.run(workspace(tmp_path / "exact", log_of_events(), **chosen)).artifact.path
    if blocks == "many":  # several in threads at once
        monkeypatch.setattr(requests_module, "_CELLS", 5 * N_ITEMS)
    found = rank.run(workspace(tmp_path / "found", log_of_events(), **chosen, exact=False)).artifact.path
    for name in ("catalogue.parquet", "cold_catalogue.parquet"):
        whole, part = (pq.read_table(path / name).to_pandas() for path in (exact, found))
        assert part[["system", "user_id", "item_id", "rank"]].equals(whole[["system", "user_id", "item_id", "rank"]])
        for column in ("score", "predicted", *COMPONENTS):
            np.testing.assert_allclose(part[column], whole[column], rtol=1e-5, atol=1e-6)
    described = files.read_json(found / "systems.json")["systems"]["interestrec"]
    assert described["candidates"]["recall"] == 1.0
    assert "candidates" not in files.read_json(exact / "systems.json")["systems"]["interestrec"]
