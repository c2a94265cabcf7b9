"""Items with pictures through all stages: counted, seen once, changed ones noticed, new ones encoded."""

import dataclasses
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interestrec.core.errors import ConfigError, DataError, InputMissingError
from interestrec.corpus.store import Corpus
from interestrec.io import artifact_files, files
from interestrec.pipeline import STAGES, run_stage
from interestrec.scoring.decision_files import NEW_TEXT_VECTORS, read_shared
from interestrec.stages import finetune, preprocess, pretrain_adapt, update
from interestrec.stages.run import RunContext
from interestrec.workspace.artifacts import open_artifact
from tests import generated, picture_kin
from tests.stages.test_modalities import TEXT, settings

pytestmark = pytest.mark.slow

PICTURE = {"name": "image", "kind": "image", "encoder": "vision", "column": "image_path", "directory": "pictures"}
PICTURES = 40


def shop(root: Path) -> Path:
    """Items of whose pictures the last few are missing, broken, no picture, or outside of the directory."""
    generated.write_shop(root / "raw", items=60)
    home = root / "raw" / "pictures"
    home.mkdir()
    for n in range(PICTURES):  # two items share one picture
        (home / f"{n}.png").write_bytes(picture_kin.saved(picture_kin.picture(seed=max(n, 1))))
    (home / "broken.png").write_bytes(picture_kin.saved(picture_kin.picture())[:20])
    (home / "text.png").write_text("no picture")
    names = [*(f"{n}.png" for n in range(PICTURES)), "broken.png", "text.png", "../items.csv", "gone.png"]
    names += [""] * (60 - len(names))
    lines = (root / "raw" / "items.csv").read_text().splitlines()
    rows = [f"{lines[0]},image_path", *(f"{line},{name}" for line, name in zip(lines[1:], names, strict=True))]
    (root / "raw" / "items.csv").write_text("\n".join(rows) + "\n")
    picture_kin.write(root / "vision", "vit")
    return root


@pytest.fixture(scope="module")
def ranked(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> RunContext:
    root = shop(tmp_path_factory.mktemp("pictures"))
    context = RunContext(settings(root, tiny_encoder, [TEXT, PICTURE]))
    for stage in STAGES:
        run_stage(stage, context)
    return context


def test_every_item_is_counted_by_what_became_of_its_picture(ranked: RunContext) -> None:
    corpus = ranked.settings.workspace / "corpus"
    quality = files.read_json(corpus / artifact_files.QUALITY)
    counts = quality["modalities"]["vision"]
    assert counts == {"ok": 40, "missing": 17, "broken": 1, "too large": 0, "no picture": 1, "outside": 1}
    assert sum(counts.values()) == Corpus(corpus, 0.5).items.num_rows
    assert any("20 of 60 items have no picture for encoders.vision" in warning for warning in quality["warnings"])


def test_pictures_are_a_modality(ranked: RunContext) -> None:
    workspace = ranked.settings.workspace
    config = files.read_json(workspace / "model" / "config.json")
    (_, hidden), (name, width) = config["modalities"]
    assert name == "vision"
    vectors = files.read_safetensors(workspace / "model" / artifact_files.ITEM_VECTORS)["modal"][:, hidden:]
    assert vectors.shape == (60, width)
    ids = Corpus(workspace / "corpus", 0.5).items["item_id"].to_pylist()
    row = {item: vectors[n] for n, item in enumerate(ids)}
    np.testing.assert_array_equal(row["sku-0"], row["sku-1"])
    assert not np.array_equal(row["sku-1"], row["sku-2"])
    assert [item for item in ids if not row[item].any()] == [item for item in ids if int(item[4:]) >= PICTURES]
    assert (workspace / "encoder" / "vision" / "preprocessor_config.json").is_file()
    verdicts = files.read_json(workspace / "report" / artifact_files.VERDICTS)["catalogue"]["modalities"]
    assert {row["system"] for row in verdicts} == {"modality:text", "modality:vision"}


def test_a_new_item_joins_by_its_picture(ranked: RunContext, tmp_path: Path) -> None:
    shutil.copytree(ranked.settings.workspace, tmp_path / "work", symlinks=True)
    context = dataclasses.replace(ranked, settings=ranked.settings.model_copy(update={"workspace": tmp_path / "work"}))
    (tmp_path / "items.csv").write_text(
        "item,name,description,department,image_path\nsku-new,Kettle,Boils,kitchen,3.png\n"
    )
    (tmp_path / "events.csv").write_text("user,item,time,kind\nu1,sku-new,2027-01-01T10:00:00Z,purchase\n")
    update.run(context, tmp_path / "events.csv", tmp_path / "items.csv")
    new = read_shared(open_artifact(tmp_path / "work" / "decision", "decision").path, NEW_TEXT_VECTORS)
    workspace = ranked.settings.workspace
    stored = files.read_safetensors(workspace / "model" / artifact_files.ITEM_VECTORS)["frozen"]
    known = Corpus(workspace / "corpus", 0.5).items["item_id"].to_pylist().index("sku-3")
    (_, hidden), _ = files.read_json(workspace / "model" / "config.json")["modalities"]
    assert new is not None
    np.testing.assert_allclose(new[0, hidden:], stored[known, hidden:], atol=1e-6)


def test_pictures_in_parquet_have_the_vectors_of_those_in_files(
    ranked: RunContext, tmp_path: Path, tiny_encoder: Path
) -> None:
    root = shop(tmp_path)
    home = root / "raw" / "pictures"
    content = [(home / f"{n}.png").read_bytes() for n in range(PICTURES)]
    table = pa.table(
        {"item_id": [f"sku-{n}" for n in range(PICTURES)], "image": [{"bytes": c, "path": ""} for c in content]}
    )
    pq.write_table(table, root / "raw" / "pictures.parquet")
    field = {"name": "image", "kind": "image", "encoder": "vision", "file": "pictures.parquet"}
    context = RunContext(settings(root, tiny_encoder, [TEXT, field], finetune={"epochs": 0, "hidden": [8], "width": 8}))
    for stage in (preprocess, pretrain_adapt, finetune):
        stage.run(context)
    name = artifact_files.ITEM_VECTORS
    found, expected = (
        files.read_safetensors(made.settings.workspace / "model" / name)["modal"] for made in (context, ranked)
    )
    np.testing.assert_array_equal(found, expected)


def test_changed_pictures_are_noticed(tmp_path: Path, tiny_encoder: Path) -> None:
    root = shop(tmp_path)
    context = RunContext(settings(root, tiny_encoder, [TEXT, PICTURE]))
    first = preprocess.run(context)
    assert not preprocess.run(context).built
    pretrain_adapt.run(context)
    picture = root / "raw" / "pictures" / "7.png"
    old = picture.read_bytes()
    picture.write_bytes(picture_kin.saved(picture_kin.picture(seed=99)))
    with pytest.raises(DataError, match="changed"):  # the corpus was made with another one
        finetune.run(context)
    assert preprocess.run(context).artifact.digest != first.artifact.digest
    picture.write_bytes(old)
    os.utime(picture)
    assert preprocess.run(context).artifact.digest == first.artifact.digest


def test_what_is_no_column_of_paths_is_refused(tmp_path: Path, tiny_encoder: Path) -> None:
    root = shop(tmp_path)
    items = root / "raw" / "items.csv"
    lines = items.read_text().splitlines()
    items.write_text("\n".join([lines[0], *(line.rpartition(",")[0] + ",1.5" for line in lines[1:])]) + "\n")
    with pytest.raises(ConfigError, match="needs a column of paths, but 'image_path' holds double"):
        preprocess.run(RunContext(settings(root, tiny_encoder, [TEXT, PICTURE])))
    nowhere = {**PICTURE, "directory": "nowhere"}
    with pytest.raises(InputMissingError, match="no directory of pictures"):
        preprocess.run(RunContext(settings(root, tiny_encoder, [TEXT, nowhere])))
