"""The model artifact: what is in it, what it depends on, what is refused."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from interestrec.config.settings import Settings
from interestrec.core.errors import ArtifactError, ConfigError, DataError
from interestrec.corpus.feature_codes import FeatureShape
from interestrec.corpus.item_attributes import fit_attributes
from interestrec.corpus.item_settings import ItemsSettings
from interestrec.corpus.store import Corpus
from interestrec.io import artifact_files, files
from interestrec.model.two_tower_config import ItemArrays, ItemCodes
from interestrec.model.two_tower_files import load_two_tower
from interestrec.scorers.intensity import Intensity
from interestrec.scorers.model_opening import open_model
from interestrec.stages import finetune, preprocess, pretrain_adapt
from interestrec.stages.run import RunContext, StageResult
from tests.scoring.asking import requests
from tests.stages.learning import shop, workspace

pytestmark = pytest.mark.slow


def trained(root: Path, encoder: Path, **chosen: object) -> tuple[RunContext, StageResult]:
    context = workspace(root, encoder, finetune={"hidden": [8], "negatives": {"count": 2}, **chosen})
    pretrain_adapt.run(context)
    return context, finetune.run(context)


def packed_features(context: RunContext, path: Path) -> np.ndarray:
    """Features of the items as a model's artifact says that they were fitted."""
    corpus = Corpus(context.settings.workspace / "corpus", None)
    fitted = files.read_json(path / artifact_files.ATTRIBUTES)
    return fit_attributes(corpus, context.settings.items.attributes, fitted).packed


def items_of(path: Path, packed: np.ndarray) -> ItemArrays:
    """The items of a model with a frozen encoder, computed from their texts and features."""
    vectors = files.read_safetensors(path / artifact_files.ITEM_VECTORS)
    codes = ItemCodes(packed, vectors["category"], vectors["price"])
    return load_two_tower(path).item_arrays(vectors["frozen"], codes)


def test_a_model_has_what_ranking_needs(tmp_path: Path, tiny_encoder: Path) -> None:
    context, result = trained(tmp_path, tiny_encoder, epochs=2, history_epochs=1)
    path = result.artifact.path
    vectors = files.read_safetensors(path / artifact_files.ITEM_VECTORS)
    items = pq.read_table(context.settings.workspace / "corpus" / "items.parquet").num_rows
    users = pq.read_table(context.settings.workspace / "corpus" / "users.parquet").num_rows
    assert vectors["item"].shape == vectors["frozen"].shape == (items, 16)
    assert vectors["entry"].shape == vectors["candidate"].shape == (items, 128)
    assert vectors["user"].shape == (users, 1)  # the id alone
    np.testing.assert_allclose(np.linalg.norm(vectors["item"], axis=1), 1, rtol=1e-5)
    again = items_of(path, packed_features(context, path))
    for name, array in zip(("item", "entry", "candidate"), again, strict=False):
        np.testing.assert_allclose(array, vectors[name], atol=1e-6)
    assert list(files.read_json(path / artifact_files.ATTRIBUTES)) == ["id"]
    assert list(files.read_json(path / artifact_files.USER_ATTRIBUTES)) == ["id"]
    log = pq.read_table(path / artifact_files.TRAINING_LOG).to_pandas()
    valid = log[log["name"] == "valid_auc"]
    assert valid["epoch"].tolist() == [0, 1, 2, 3]
    outcome = files.read_json(path / artifact_files.OUTCOME)
    assert outcome["decided_by"] == "valid_auc"  # impressions show what was ignored
    assert outcome["valid_auc"] == result.summary["valid_auc"] == valid["value"].max()
    assert outcome["valid_auc_start"] == valid["value"].iloc[0]
    ndcg = log[log["name"] == "valid_ndcg"].set_index("epoch")["value"]
    assert outcome["valid_ndcg"] == ndcg[outcome["best_epoch"]]
    assert outcome["valid_ndcg_start"] == ndcg[0]
    assert set(files.read_json(path / artifact_files.CALIBRATION)) == {"scale", "shift"}
    assert not finetune.run(context).built


TITLE = {"name": "title"}


def with_fields(root: Path, encoder: Path, *fields: dict[str, object]) -> tuple[RunContext, StageResult, StageResult]:
    """The settings, the encoder and the model with the title and these fields."""
    chosen = {"epochs": 1, "hidden": [8], "negatives": {"count": 2}}
    context = workspace(root, encoder, finetune=chosen, items={"fields": [TITLE, *fields]})
    return context, pretrain_adapt.run(context), finetune.run(context)


def test_attributes_are_fitted_stored_and_in_the_vectors(tmp_path: Path, tiny_encoder: Path) -> None:
    _, plain_encoder, plain = with_fields(tmp_path, tiny_encoder)
    context, encoder, result = with_fields(tmp_path, tiny_encoder, {"name": "category", "kind": "category"})
    assert encoder.artifact.digest == plain_encoder.artifact.digest  # the encoder reads texts only
    assert result.artifact.digest != plain.artifact.digest
    path = result.artifact.path
    fitted = files.read_json(path / artifact_files.ATTRIBUTES)
    names = ["finance", "food", "sports", "weather"]
    assert fitted["category"] == {"levels": [names, [f"{name}/{name}" for name in names]]}
    vectors, packed = files.read_safetensors(path / artifact_files.ITEM_VECTORS), packed_features(context, path)
    assert load_two_tower(path).config.attributes[0] == FeatureShape("category", (5, 5))
    np.testing.assert_allclose(items_of(path, packed).candidates, vectors["candidate"], atol=1e-6)
    packed[:, :2] = 0
    assert np.abs(items_of(path, packed).candidates - vectors["candidate"]).max() > 1e-3


def test_without_ids_there_are_no_features(tmp_path: Path, tiny_encoder: Path) -> None:
    none = {"name": "id", "kind": "id", "events": 0}
    chosen = {"epochs": 1, "hidden": [8], "negatives": {"count": 2}}
    fields = {"items": {"fields": [TITLE, none]}, "users": {"fields": [none]}}
    context = workspace(tmp_path, tiny_encoder, finetune=chosen, **fields)
    pretrain_adapt.run(context)
    path = finetune.run(context).artifact.path
    for name in (artifact_files.ATTRIBUTES, artifact_files.USER_ATTRIBUTES):
        assert not (path / name).exists()
    config = load_two_tower(path).config
    assert (config.attributes, config.user_features) == ((), ())
    vectors = files.read_safetensors(path / artifact_files.ITEM_VECTORS)
    assert vectors["user"].shape[1] == 0
    nothing = np.zeros((len(vectors["item"]), 0), np.int32)
    np.testing.assert_allclose(items_of(path, nothing).entries, vectors["entry"], atol=1e-6)
    assert np.isfinite(Intensity([open_model(path)]).score_catalogue(requests([0, 1], []))).all()


OWN = [
    TITLE,
    {"name": "section", "kind": "category", "column": "words"},
    {"name": "weight", "kind": "number", "column": "grams", "buckets": 3},
    {"name": "colours", "kind": "tags"},
    {"name": "words", "kind": "tags", "separator": " "},
    {"name": "picture", "kind": "vector", "column": "emb"},
    {"name": "id", "kind": "id", "events": 3},
]


def own_shop(root: Path, encoder: Path, kept: list[str], fields: list[dict[str, object]]) -> RunContext:
    """A shop whose items have further columns, some of them empty, written as in CSV files of the world."""
    context = shop(root, encoder)  # writes the files
    rows = [row.split(",") for row in (root / "raw" / "items.csv").read_text().splitlines()]
    lines = ["item,name,description,department,grams,colours,words,emb"]
    for n, row in enumerate(rows[1:]):
        colours = ["", "['red', 'blue']", "['blue']", "green"][n % 4]
        grams = "" if n % 7 == 0 else f'"{n},5"'
        emb = "" if n % 5 == 0 else f'"[{n % 4}.5, {-n}, {n % 3}]"'
        lines.append(",".join([*row, grams, f'"{colours}"', ["old", "", "new"][n % 3], emb]))
    (root / "raw" / "items.csv").write_text("\n".join(lines) + "\n")
    values = context.settings.model_dump(mode="json")
    values["data"]["items"]["attributes"] = kept
    values["finetune"] |= {"epochs": 8, "hidden": [8], "learning_rate": 0.01, "patience": 8}
    values["pretrain_adapt"]["steps"] = 0
    context = RunContext(Settings.model_validate({**values, "items": {"fields": fields}}))
    preprocess.run(context)
    return context


def test_own_columns_of_every_kind_train_and_are_in_the_vectors(tmp_path: Path, tiny_encoder: Path) -> None:
    kept = ["grams", "colours", "words", "emb"]
    context = own_shop(tmp_path, tiny_encoder, kept, OWN)
    pretrain_adapt.run(context)
    result = finetune.run(context)
    path, settings = result.artifact.path, context.settings
    corpus = Corpus(settings.workspace / "corpus", 0.5)
    assert corpus.item_attributes == kept
    assert [str(corpus.items.schema.field(name).type) for name in kept] == [
        "double",
        "list<element: string>",
        "string",
        "list<element: float>",
    ]
    model, vectors = load_two_tower(path), files.read_safetensors(path / artifact_files.ITEM_VECTORS)
    fitted = files.read_json(path / artifact_files.ATTRIBUTES)
    features = fit_attributes(corpus, settings.items.attributes, fitted)
    assert model.config.attributes == features.sizes
    np.testing.assert_allclose(items_of(path, features.packed).candidates, vectors["candidate"], atol=1e-6)
    for column in range(features.packed.shape[1]):
        without = features.packed.copy()
        without[:, column] = 0
        assert np.abs(items_of(path, without).candidates - vectors["candidate"]).max() > 1e-5, column
    # The model can start another one, by what was fitted for it.
    again = replace(context, start=path)
    assert finetune.run(again).artifact.digest != result.artifact.digest
    assert np.isfinite(Intensity([open_model(path)]).score_catalogue(requests([0, 1]))).all()


def test_a_warm_start_begins_at_the_current_model_and_stays_up_to_date(
    tmp_path: Path, tiny_encoder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    context, first = trained(tmp_path, tiny_encoder, epochs=1, history_epochs=0, warm_start=True)
    assert "start" not in first.artifact.manifest["inputs"]
    assert not finetune.run(context).built
    retrained = finetune.run(replace(context, force=True))  # of the same data, from the model of before
    assert retrained.artifact.manifest["inputs"]["start"] == first.artifact.digest
    assert not finetune.run(context).built
    assert {"calibration_error", "calibration_error_of_start"} <= retrained.summary.keys()
    assert retrained.summary["valid_ndcg_start"] == pytest.approx(first.summary["valid_ndcg"], abs=1e-6)
    wider = context.settings.finetune.model_copy(update={"width": 16})
    other = replace(context, settings=context.settings.model_copy(update={"finetune": wider}))
    with caplog.at_level("INFO"):
        assert "start" not in finetune.run(other).artifact.manifest["inputs"]
    assert "starts from nothing, because the current model was trained with other settings" in caplog.text


def test_a_column_that_the_corpus_does_not_have(tmp_path: Path, tiny_encoder: Path) -> None:
    context = own_shop(tmp_path, tiny_encoder, ["grams"], [TITLE])
    pretrain_adapt.run(context)
    fields = [TITLE, {"name": "weight", "kind": "number", "column": "gramms"}]
    items = ItemsSettings(fields=fields)
    stale = replace(context, settings=context.settings.model_copy(update={"items": items}))
    with pytest.raises(ConfigError, match=r"no column 'gramms' of items \(did you mean 'grams'\?\); list it in data"):
        finetune.run(stale)


def test_a_field_that_the_corpus_does_not_have(tmp_path: Path, tiny_encoder: Path) -> None:
    with pytest.raises(DataError, match="no item of train has a known price"):
        with_fields(tmp_path, tiny_encoder, {"name": "price", "kind": "number"})


def test_only_the_top_layers_learn_and_only_they_are_stored(tmp_path: Path, tiny_encoder: Path) -> None:
    _, result = trained(tmp_path, tiny_encoder, epochs=1, history_epochs=0, trainable_layers=1)
    stored = {n for n in files.read_safetensors(result.artifact.path / "weights.safetensors") if "encoder" in n}
    assert stored
    assert all(name.startswith("encoder.encoder.layer.1.") for name in stored)


def test_adapters_remembered_vectors_and_slices_together(
    tmp_path: Path, tiny_encoder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = {
        "hidden": [8],
        "negatives": {"count": 2},
        "epochs": 2,
        "trainable_layers": 1,
        "lora": {"rank": 2, "targets": ["qkv", "down"]},
        "vector_cache": {"probability": 0.5, "max_age": 3, "max_tokens": 200},
        "batch_tokens": 400,
        "accumulate": 2,
        "layer_decay": 0.5,
        "schedule": "cosine",
        "label_smoothing": 0.1,
    }
    encoders = {"text": {"source": str(tiny_encoder), "pooling": "attention"}}
    runtime = {"precision": "bfloat16"}
    context = workspace(tmp_path, tiny_encoder, finetune=chosen, encoders=encoders, runtime=runtime)
    encoder = pretrain_adapt.run(context).artifact
    with caplog.at_level(logging.INFO, "interestrec"):
        model = finetune.run(context).artifact
    log = pq.read_table(model.path / artifact_files.TRAINING_LOG).to_pandas()
    share = log.loc[log["name"] == "encoded_share", "value"]
    assert len(share) == 2
    assert share.between(0.2, 0.7).all()
    before = files.read_safetensors(encoder.path / "model.safetensors")
    after = files.read_safetensors(model.path / "weights.safetensors")
    assert after.pop("encoder.pooling.query").any()  # no part of the encoder as it came
    moved = {
        name.removeprefix("encoder.")
        for name, value in after.items()
        if name.startswith("encoder.") and not np.array_equal(value, before[name.removeprefix("encoder.")])
    }
    block = "encoder.layer.1"
    adapted = [*(f"attention.self.{name}" for name in ("query", "key", "value")), "output.dense"]
    assert moved == {f"{block}.{name}.weight" for name in adapted}
    with caplog.at_level(logging.INFO, "interestrec"):
        finetune.run(replace(context, force=True))
    told = [r.getMessage() for r in caplog.records if "in the cache" in r.getMessage()]
    texts = told[0].split()[5]
    assert told == [f"encoding frozen layers: {known} of {texts} texts are in the cache" for known in (0, texts)]


def test_the_other_losses_over_the_batch_s_own_positives(tmp_path: Path, tiny_encoder: Path) -> None:
    losses = {"softmax": 1.0, "listnet": 0.5, "pairwise": 0.5, "huber": 2.0, "intensity": 0.0}
    chosen = {"losses": losses, "negatives": {"source": "in_batch", "count": 2}}
    _, result = trained(tmp_path, tiny_encoder, epochs=1, history_epochs=1, **chosen)
    log = (
        pq.read_table(result.artifact.path / artifact_files.TRAINING_LOG)
        .to_pandas()
        .pivot(index="step", columns="name", values="value")
    )
    log = log.loc[1:]
    assert "loss_intensity" not in log
    # Histories first, whose labels are all 1, then impressions.
    of_histories = log["loss_huber"].isna()
    assert of_histories.any()
    assert not of_histories.all()
    total = sum(log[f"loss_{name}"].fillna(0) * weight for name, weight in losses.items() if weight)
    np.testing.assert_allclose(log["loss"], total, rtol=1e-5)


def test_losses_of_single_items_learn_nothing_from_equal_labels(tmp_path: Path, tiny_encoder: Path) -> None:
    with pytest.raises(ConfigError, match=r"finetune\.losses: all labels of histories are equal"):
        trained(tmp_path, tiny_encoder, history_epochs=1, losses={"huber": 1.0})


def test_more_layers_than_there_are_is_a_mistake_in_the_configuration(tmp_path: Path, tiny_encoder: Path) -> None:
    with pytest.raises(ConfigError, match="the encoder has 2 layers"):
        trained(tmp_path, tiny_encoder, trainable_layers=3)


def test_an_encoder_adapted_to_another_corpus_is_refused(tmp_path: Path, tiny_encoder: Path) -> None:
    context, _ = trained(tmp_path, tiny_encoder, epochs=0, history_epochs=0)
    (tmp_path / "raw" / "valid.tsv").write_text((tmp_path / "raw" / "test.tsv").read_text())
    preprocess.run(context)
    with pytest.raises(ArtifactError, match="corpus"):
        finetune.run(context)
