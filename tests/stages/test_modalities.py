"""Items of several modalities, or of given vectors alone, through all stages, answers and an update."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interestrec.config.settings import Settings
from interestrec.core.errors import ConfigError, DataError
from interestrec.corpus.item_attributes import fit_attributes
from interestrec.corpus.store import Corpus
from interestrec.io import artifact_files, files
from interestrec.model.two_tower_config import ItemCodes
from interestrec.model.two_tower_files import load_two_tower
from interestrec.pipeline import STAGES, run_stage
from interestrec.scorers.registry import scorer_definition
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scoring.decision_files import NEW_TEXT_VECTORS, read_shared
from interestrec.stages import encode, explain, finetune, preprocess, pretrain_adapt, update
from interestrec.stages.recommend import open_answers
from interestrec.stages.run import RunContext
from interestrec.workspace.artifacts import open_artifact
from tests import generated
from tests.stages.learning import shop_sections
from tests.stages.test_update import NEW_ITEMS, RANK

pytestmark = pytest.mark.slow

ITEMS = 60
WIDTH = 4
TEXT = {"name": "title", "kind": "text", "encoder": "text"}
GIVEN = {"name": "given", "kind": "vector", "encoder": "large"}


def vectors(path: Path, more: tuple[str, ...] = (), missing: int = 5) -> Path:
    """A file of vectors of all items of the shop but the first few."""
    ids = [f"sku-{n}" for n in range(missing, ITEMS)]
    matrix = np.random.default_rng(3).standard_normal((len(ids) + len(more), WIDTH)).astype(np.float32)
    column = pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), WIDTH)
    pq.write_table(pa.table({"item_id": [*ids, *more], "vector": column}), path)
    return path


def settings(root: Path, encoder: Path, fields: list[dict[str, Any]], **sections: Any) -> Settings:
    used = {field["encoder"] for field in fields}
    encoders = {
        "text": {"source": str(encoder)},
        "second": {"source": str(encoder), "pooling": "cls"},
        "large": {"kind": "vectors", "source": str(root / "vectors.parquet")},
        "vision": {"kind": "image", "source": str(root / "vision")},
    }
    shop = shop_sections(root)
    if any(field["kind"] == "image" and "file" not in field for field in fields):
        shop["data"]["items"]["attributes"] = ["image_path"]
    return Settings.model_validate(
        {
            **shop,
            "items": {"fields": fields},
            "encoders": {name: entry for name, entry in encoders.items() if name in used},
            "pretrain_adapt": {"steps": 0},
            "finetune": {"epochs": 1, "hidden": [8], "width": 8},
            "rank": {**RANK, "rules": {"diversity": 0.1}},
            "evaluate": {"bootstrap": 20},
            **sections,
        }
    )


def shop(root: Path) -> Path:
    generated.write_shop(root / "raw", items=ITEMS)
    vectors(root / "vectors.parquet")
    return root


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> RunContext:
    """A shop with texts of two encoders, the first of which learns, and given vectors."""
    root = shop(tmp_path_factory.mktemp("both"))
    fields = [TEXT, {"name": "title", "kind": "text", "encoder": "second"}, GIVEN]
    learning = {"epochs": 1, "hidden": [8], "width": 8, "trainable_layers": 1}
    context = RunContext(settings(root, tiny_encoder, fields, finetune=learning))
    for stage in STAGES:
        run_stage(stage, context)
    return context


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> RunContext:
    """The same shop with given vectors alone."""
    context = RunContext(settings(shop(tmp_path_factory.mktemp("alone")), tiny_encoder, [GIVEN]))
    for stage in STAGES:
        run_stage(stage, context)
    return context


def frozen(context: RunContext) -> dict[str, np.ndarray]:
    return files.read_safetensors(context.settings.workspace / "model" / artifact_files.ITEM_VECTORS)


def test_missing_vectors_are_counted_and_zero(both: RunContext) -> None:
    corpus = both.settings.workspace / "corpus"
    quality = files.read_json(corpus / artifact_files.QUALITY)
    assert quality["modalities"]["large"] == {"width": WIDTH, "found": ITEMS - 5, "missing": 5, "unknown": 0}
    assert quality["modalities"]["second"]["unknown_tokens"]["Latin"]["unknown"] == 0
    assert any("5 of 60 items have no vector of encoders.large" in warning for warning in quality["warnings"])
    ids = Corpus(corpus, 0.5).items["item_id"].to_pylist()
    given = files.map_array(corpus / artifact_files.FEATURES / "vectors-large.npy")
    assert sorted(item for item, row in zip(ids, given, strict=True) if not row.any()) == [f"sku-{n}" for n in range(5)]


def test_modalities_stand_side_by_side(both: RunContext) -> None:
    stored, config = frozen(both), files.read_json(both.settings.workspace / "model" / "config.json")
    hidden = config["text_width"] // 2 - WIDTH // 2
    assert config["modalities"] == [["text", hidden], ["second", hidden], ["large", WIDTH]]
    assert stored["frozen"].shape == stored["modal"].shape == (ITEMS, 2 * hidden + WIDTH)
    np.testing.assert_allclose(np.linalg.norm(stored["frozen"], axis=1), 1.0, atol=1e-5)
    np.testing.assert_array_equal(
        stored["modal"][:, 2 * hidden :],
        files.map_array(both.settings.workspace / "corpus" / artifact_files.FEATURES / "vectors-large.npy"),
    )
    exported = encode.run(both, None, from_model=False)
    table = pq.read_table(exported["file"])
    np.testing.assert_allclose(np.stack(table["vector"].to_numpy()), stored["frozen"], atol=1e-3)  # float16 states


def test_vectors_alone_need_no_encoder_of_texts(alone: RunContext) -> None:
    workspace, stored = alone.settings.workspace, frozen(alone)
    assert sorted(path.name for path in (workspace / "encoder").iterdir()) == [
        "adaptation.json",
        "manifest.json",
        "timing.jsonl",
    ]
    assert "modal" not in stored
    assert stored["frozen"].shape == (ITEMS, WIDTH)
    assert json.loads((workspace / "report" / "metrics.json").read_text())


@pytest.mark.parametrize("name", ["both", "alone"])
def test_a_new_item_joins_with_all_modalities(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    ranked: RunContext = request.getfixturevalue(name)
    shutil.copytree(ranked.settings.workspace, tmp_path / "work", symlinks=True)
    source = vectors(tmp_path / "new.parquet", more=("sku-new",))
    entries = {
        key: entry.model_copy(update={"source": source}) if entry.kind == "vectors" else entry
        for key, entry in ranked.settings.encoders.items()
    }
    changed = ranked.settings.model_copy(update={"workspace": tmp_path / "work", "encoders": entries})
    context = dataclasses.replace(ranked, settings=changed)
    (tmp_path / "items.csv").write_text(NEW_ITEMS)
    (tmp_path / "events.csv").write_text("user,item,time,kind\nu1,sku-new,2027-01-01T10:00:00Z,purchase\n")
    update.run(context, tmp_path / "events.csv", tmp_path / "items.csv")
    decision = open_artifact(tmp_path / "work" / "decision", "decision")
    new = read_shared(decision.path, NEW_TEXT_VECTORS)
    assert new is not None
    if name == "both":
        np.testing.assert_allclose(np.linalg.norm(new, axis=1), 1.0, atol=1e-5)
    expected = np.random.default_rng(3).standard_normal((ITEMS - 5 + 1, WIDTH)).astype(np.float32)[-1]
    cosine = new[0, -WIDTH:] @ expected / np.linalg.norm(expected) / np.linalg.norm(new[0, -WIDTH:])
    assert cosine == pytest.approx(1.0, abs=1e-5)
    answers = open_answers(context, 5, None, ())
    assert answers.recommender.find_item("sku-new") == ITEMS


def test_words_are_explained_beside_other_modalities(both: RunContext, alone: RunContext) -> None:
    service, item = open_answers(both, 5, None, ()), "sku-9"
    found = explain.run(both, service, "u1", item, with_words=True)
    assert found["words"]
    with pytest.raises(ConfigError, match="no encoder of texts"):
        explain.run(alone, open_answers(alone, 5, None, ()), "u1", item, with_words=True)


@pytest.mark.parametrize(
    ("fields", "finetuning", "expected"),
    [
        ([GIVEN], {"trainable_layers": 1}, "no encoder of texts is there to learn"),
        ([GIVEN], {"user_tower": "text"}, "reads one encoder of texts alone"),
        ([TEXT, GIVEN], {"user_tower": "text"}, "reads one encoder of texts alone"),
    ],
)
def test_what_needs_one_encoder_of_texts(
    tmp_path: Path, tiny_encoder: Path, fields: list[dict[str, Any]], finetuning: dict[str, Any], expected: str
) -> None:
    context = RunContext(settings(shop(tmp_path), tiny_encoder, fields, finetune=finetuning))
    preprocess.run(context)
    pretrain_adapt.run(context)
    with pytest.raises(ConfigError, match=expected):
        finetune.run(context)


def test_another_file_of_vectors_is_another_corpus(tmp_path: Path, tiny_encoder: Path) -> None:
    context = RunContext(settings(shop(tmp_path), tiny_encoder, [TEXT, GIVEN]))
    first = preprocess.run(context)
    assert not preprocess.run(context).built
    vectors(tmp_path / "vectors.parquet", missing=7)
    assert preprocess.run(context).artifact.digest != first.artifact.digest
    pq.write_table(pa.table({"item_id": ["sku-1"], "vector": [[1.0, float("inf")]]}), tmp_path / "vectors.parquet")
    with pytest.raises(DataError, match="numbers of sku-1 are not finite"):
        preprocess.run(context)


def test_the_report_says_what_each_modality_adds(both: RunContext, alone: RunContext) -> None:
    workspace = both.settings.workspace
    found = files.read_json(workspace / "report" / artifact_files.VERDICTS)["catalogue"]["modalities"]
    parts = [*(f"{prefix}{name}" for prefix in ("modality:", "no_modality:") for name in ("text", "second", "large"))]
    assert sorted(row["system"] for row in found) == sorted(parts)
    for row in found:
        assert row["ci_low"] <= row["difference"] <= row["ci_high"]
        assert row["sentence"] in (workspace / "report" / artifact_files.REPORT_PAGE).read_text()
    assert (
        "modalities" not in files.read_json(alone.settings.workspace / "report" / artifact_files.VERDICTS)["catalogue"]
    )


def test_without_a_modality_is_with_its_vectors_at_zero(both: RunContext) -> None:
    """The variants equal a model whose items are made anew from vectors without the modality, features included."""
    workspace = both.settings.workspace
    inputs = ScorerInputs(
        model=workspace / "model",
        encoder=workspace / "encoder",
        corpus=Corpus(workspace / "corpus", 0.5),
        workspace=workspace,
        requests=(),
        seed=1,
    )
    variant = scorer_definition("no_modality:large").fit(inputs)
    tower, vectors = load_two_tower(workspace / "model"), frozen(both)["modal"].copy()
    vectors[:, -WIDTH:] = 0
    items = fit_attributes(
        inputs.corpus, both.settings.items.attributes, files.read_json(workspace / "model" / "attributes.json")
    )
    stored = inputs.two_towers[0].items
    made = tower.item_arrays(vectors, ItemCodes(items.packed, stored.categories, stored.prices))
    for found, expected in zip(variant.models[0].items[:3], made[:3], strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(variant.models[0].items.texts - stored.texts).max() > 0.01


def test_a_formula_of_tasks_ranks_without_a_modality_too(tmp_path: Path, tiny_encoder: Path) -> None:
    tasks = {"tasks": {"bought": {"kind": "binary", "label": "event == purchase"}}, "rank_by": "bought"}
    chosen = {"epochs": 1, "hidden": [8], "width": 8, **tasks}
    context = RunContext(settings(shop(tmp_path), tiny_encoder, [TEXT, GIVEN], finetune=chosen))
    for stage in STAGES:
        run_stage(stage, context)
    found = files.read_json(tmp_path / "work" / "report" / artifact_files.VERDICTS)["catalogue"]["modalities"]
    assert {row["system"] for row in found} == {"modality:text", "modality:large"}
