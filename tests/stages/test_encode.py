"""Exported vectors: those that finetune trains on, and encoded once for both."""

import logging
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from interestrec.io import artifact_files, files, schemas
from interestrec.io.vector_columns import vector_matrix
from interestrec.stages import encode, finetune, pretrain_adapt
from interestrec.stages.run import RunContext
from tests.stages.learning import ADAPTATION, workspace

pytestmark = pytest.mark.slow


@pytest.fixture
def context(tmp_path: Path, tiny_encoder: Path) -> RunContext:
    chosen = {"hidden": [8], "negatives": {"count": 2}, "epochs": 1}
    context = workspace(tmp_path, tiny_encoder, finetune=chosen, pretrain_adapt=ADAPTATION)
    pretrain_adapt.run(context)
    return context


def hits(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "in the vector cache" in record.getMessage()]


def test_finetune_and_encode_share_vectors(context: RunContext, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "interestrec"):
        done = encode.run(context, None, from_model=False)
        model = finetune.run(context).artifact
    texts = hits(caplog)[0].split()[3]
    # The probe of adaptation has encoded all texts already.
    assert hits(caplog) == [f"encoding: {texts} of {texts} texts are in the vector cache"] * 2
    stored = files.read_safetensors(model.path / artifact_files.ITEM_VECTORS)
    for name, kind, made in (
        ("text_vectors.parquet", "frozen", done),
        ("item_vectors.parquet", "item", encode.run(context, None, from_model=True)),
    ):
        assert made["file"] == str(context.settings.workspace / name)
        table = pq.read_table(made["file"])
        assert table.schema.equals(schemas.item_vectors(made["width"]))
        np.testing.assert_array_equal(vector_matrix(table["vector"]), stored[kind])
    items = pq.read_table(context.settings.workspace / "corpus" / "items.parquet")
    assert table["item_id"].to_pylist() == items["item_id"].to_pylist()


def test_a_model_is_the_same_to_the_byte_with_and_without_a_cache(context: RunContext) -> None:
    first = finetune.run(context).artifact
    assert list((context.settings.workspace / "cache" / "vectors").glob("*/*.parquet"))
    again = finetune.run(RunContext(context.settings, force=True)).artifact
    assert again.digest == first.digest  # of the manifest, which lists every file's SHA-256
