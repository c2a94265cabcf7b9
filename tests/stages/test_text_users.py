"""Users who are texts, from logs to rankings."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from interestrec.core.errors import ArtifactError, ConfigError
from interestrec.corpus.store import Corpus
from interestrec.encoding.encoder_caches import vector_cache
from interestrec.io import artifact_files, files
from interestrec.metrics.calibration import LogitCalibration
from interestrec.metrics.calibrations import calibrate
from interestrec.model.encoders import load_encoder
from interestrec.model.two_tower_config import TextUser
from interestrec.model.two_tower_files import load_two_tower, read_learned
from interestrec.scorers import queries
from interestrec.scorers import text_user_inputs as module
from interestrec.scorers.intensity import Intensity
from interestrec.scorers.model_opening import open_model
from interestrec.scorers.requests import Requests
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scorers.two_tower_model import TwoTowerModel
from interestrec.stages import evaluate, finetune, pretrain_adapt, rank, update
from interestrec.stages.recommend import open_answers
from interestrec.stages.run import RankRequest, RunContext
from interestrec.training import finetuning
from interestrec.workspace.forgotten import add_forgotten
from tests.scoring.asking import requests
from tests.stages.learning import shop, workspace

pytestmark = pytest.mark.slow

TEXT = {
    "user_tower": "text",
    "user_tokens": 24,
    "epochs": 8,
    "history_epochs": 1,
    "batch_size": 8,
    "learning_rate": 0.01,
    "patience": 8,
    "hidden": [8],
}
RANK = {"systems": ["interestrec", "random"], "components": ["intensity"]}


def news(root: Path, encoder: Path, **settings: Any) -> RunContext:
    fields = [{"name": "title", "max_tokens": 8}, {"name": "category", "kind": "category"}]
    return workspace(root, encoder, items={"fields": fields}, **settings)


LEARNING = {
    "frozen": (news, {}, {}),
    "learning": (news, {"trainable_layers": 1}, {}),
    "adapters": (news, {"trainable_layers": 2, "lora": {"rank": 2}, "vector_cache": {"probability": 0.5}}, {}),
    "attention": (news, {"encoder_learning_rate": 0.05}, {"pooling": "attention"}),
    "events": (shop, {"epochs": 3, "trainable_layers": 1, "batch_tokens": 400}, {}),
    "frozen events": (shop, {"epochs": 3, "negatives": {"source": "hard", "count": 4, "pool": 20}}, {}),
}


@pytest.fixture(scope="module", params=LEARNING)
def run(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path
) -> tuple[RunContext, np.ndarray]:
    """A whole run, and the logits of valid_blend's candidates as training saw them at its end."""
    make, chosen, encoder = LEARNING[request.param]
    settings = {
        "finetune": {**TEXT, **chosen},
        "encoders": {"text": {"source": str(tiny_encoder), **encoder}},
        "rank": RANK,
        "evaluate": {"bootstrap": 20, "metrics": ["auc", "hit@10"]},
    }
    context = make(tmp_path_factory.mktemp("run"), tiny_encoder, **settings)
    seen = []

    def spied(name: str, logits: np.ndarray, labels: np.ndarray) -> LogitCalibration:
        seen.append(logits)
        return calibrate(name, logits, labels)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finetuning, "calibrate", spied)
        for stage in (pretrain_adapt, finetune, rank, evaluate):
            stage.run(context)
    return context, seen[0]


def opened(context: RunContext, upcoming: tuple[Requests, ...] = ()) -> tuple[Corpus, TwoTowerModel]:
    work = context.settings.workspace
    corpus = Corpus((work / "corpus").resolve(), None)
    model = (work / "model").resolve()
    inputs = ScorerInputs(model, (work / "encoder").resolve(), corpus, work, upcoming, seed=1)
    return corpus, open_model(model, inputs)


def test_ranking_scores_as_training_did(run: tuple[RunContext, np.ndarray]) -> None:
    context, expected = run
    corpus, model = opened(context)
    asked = queries.impression_queries(corpus, queries.valid_impressions(corpus, select=False))
    item = corpus.impressions.item[asked.rows]
    shown = (asked.requests, asked.request_offsets, item)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(model.candidate_strength(*shown), expected, atol=1e-5)
    whole = Intensity([model]).score_catalogue(asked.requests)
    owner = np.repeat(np.arange(len(asked.requests)), np.diff(asked.request_offsets))
    np.testing.assert_allclose(whole[owner, item], model.candidate_order(*shown), rtol=1e-5, atol=1e-5)


def test_the_planted_interest_is_found(run: tuple[RunContext, np.ndarray]) -> None:
    metrics = pq.read_table(run[0].settings.workspace / "report" / "metrics.parquet").to_pandas()
    whole = metrics[metrics["slice"] == "all"].set_index(["protocol", "metric", "system"])["value"]
    if run[0].settings.data.format == "mind":
        assert whole["impressions", "auc", "interestrec"] > 0.6
    else:
        assert whole["catalogue", "hit@10", "interestrec"] > whole["catalogue", "hit@10", "random"]


def test_a_user_without_a_history_is_what_no_text_is(run: tuple[RunContext, np.ndarray]) -> None:
    _, model = opened(run[0])
    empty = requests([], [], users=[0, 0])
    ignored = requests([], [3, 3], users=[0, 0], intensity=[0, 0])
    shown, items = np.array([0, 1, 2]), np.array([5, 5], np.int32)
    first = model.candidate_order(empty, shown, items)
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(model.candidate_order(ignored, shown, items), first)
    assert not len(model.histories(empty).row)
    assert model.histories._row == {}


def test_each_distinct_text_is_encoded_once(
    run: tuple[RunContext, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = requests([3], [], [3], [4, 3], users=[0, 0, 0, 0], at=[1, 1, 2, None])
    lengths = []

    def spied(*given: Any, **named: Any) -> np.ndarray:
        lengths.append(len(given[1]))
        return encode(*given, **named)

    encode = module.encode
    monkeypatch.setattr(module, "encode", spied)
    _, model = opened(run[0], (asked,))
    assert lengths == [2]
    Intensity([model]).score_catalogue(asked)
    assert lengths == [2]


def test_a_model_tells_how_its_users_are_read(run: tuple[RunContext, np.ndarray]) -> None:
    context, _ = run
    path, chosen = context.settings.workspace / "model", context.settings.finetune
    user = load_two_tower(path).config.user_text
    fields = tuple((field.name, field.max_tokens) for field in context.settings.items.texts)
    pooling = context.settings.text_encoders["text"].pooling
    assert user == TextUser(24, fields, pooling, "float32")
    names = set(read_learned(path))
    assert ("pooling.query" in names) == (pooling == "attention")
    assert any(name.startswith("encoder.layer.") for name in names) == (chosen.trainable_layers > 0)
    if pooling == "attention":
        assert read_learned(path)["pooling.query"].any()


def test_a_text_needs_an_encoder(run: tuple[RunContext, np.ndarray], tmp_path: Path) -> None:
    scorer = Intensity([opened(run[0])[1]])
    assert scorer.needs_encoder
    with pytest.raises(ArtifactError, match="cannot be stored without its encoder"):
        scorer.arrays()
    with pytest.raises(ArtifactError, match="requires an encoder and a corpus"):
        open_model(run[0].settings.workspace / "model")


def test_vectors_of_a_frozen_encoder_are_found_again(run: tuple[RunContext, np.ndarray]) -> None:
    context, _ = run
    user = load_two_tower(context.settings.workspace / "model").config.user_text
    assert user is not None
    if context.settings.finetune.trainable_layers or user.pooling == "attention":
        return
    corpus, model = opened(context)
    asked = queries.impression_queries(corpus, np.flatnonzero(corpus.impressions.split == queries.TEST)).requests
    Intensity([model]).score_catalogue(asked)
    work = context.settings.workspace
    cache = vector_cache(load_encoder(work / "encoder", pooling=user.pooling), work / "encoder", work)
    made = module.documents(
        model.histories.items, asked.item, asked.intensity, asked.offsets[:-1], asked.offsets[1:], user.tokens
    )
    some = made.select(np.flatnonzero(made.lengths))
    _, known = cache.load(module.keys_of(some), 16)
    assert known.all()


def test_items_as_users_are_told_of_nowhere(tmp_path: Path, tiny_encoder: Path) -> None:
    context = workspace(tmp_path, tiny_encoder, finetune={"epochs": 0, "hidden": [8]})
    pretrain_adapt.run(context)
    path = finetune.run(context).artifact.path
    names = {"text_width", "width", "hidden", "levels", "max_history", "dropout", "attributes", "similarity"}
    names |= {"user_features", "blocks"}
    assert set(files.read_json(path / "config.json")) == names
    assert not read_learned(path)


def test_a_fold_is_measured_on_texts(tmp_path: Path, tiny_encoder: Path) -> None:
    context = news(tmp_path, tiny_encoder, finetune={**TEXT, "epochs": 5, "trainable_layers": 1})
    pretrain_adapt.run(context)
    result = finetune.cross_validate(context, 2, "users")
    assert result.summary["auc"] > 0.6


def test_answers_of_a_model_of_texts_are_the_lists_of_rank(tmp_path: Path, tiny_encoder: Path) -> None:
    settings = {
        "finetune": {**TEXT, "epochs": 1},
        "encoders": {"text": {"source": str(tiny_encoder)}},
        "rank": {"systems": ["interestrec"], "components": ["intensity"], "ablation": "none", "trials": 1},
    }
    context = replace(news(tmp_path, tiny_encoder, **settings), rank_request=RankRequest(as_of=2**60))
    for stage in (pretrain_adapt, finetune):
        stage.run(context)
    table = files.read_parquet(rank.run(context).artifact.path / artifact_files.CATALOGUE)
    (answer,) = open_answers(context, 100, None, ()).lists_of_file(None)
    np.testing.assert_array_equal(answer.rows.score, table["score"].to_numpy())
    with pytest.raises(ConfigError, match="cannot follow events"):
        add_forgotten(context.settings.workspace, [answer.names[0]])
        update.run(context, None, None)
