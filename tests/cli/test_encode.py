"""`interestrec encode` on the command line."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from interestrec.io import files
from interestrec.workspace.artifacts import Recipe, open_artifact, staged_version
from tests.cli.test_app import CONFIG, interestrec
from tests.corpus.looked_at import write_looked_at
from tests.documents import one_document

pytestmark = pytest.mark.slow


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A committed corpus of 4 items and a model of it with vectors 3 wide, as far as an export of them needs it."""
    with staged_version(tmp_path / "workspace", Recipe("corpus", {}, {}, seed=1)) as partial:
        write_looked_at(partial)
    digest = open_artifact(tmp_path / "workspace" / "corpus", "corpus").digest
    with staged_version(tmp_path / "workspace", Recipe("model", {"corpus": digest}, {}, seed=1)) as partial:
        vectors = np.arange(12, dtype=np.float32).reshape(4, 3)
        files.write_safetensors(partial / "item_vectors.safetensors", {"item": vectors, "frozen": -vectors})
    return tmp_path / "workspace" / "model"


def test_encode_exports_the_vectors_of_a_model(tmp_path: Path, model: Path) -> None:
    (tmp_path / "interestrec.yaml").write_text(CONFIG)
    outcome = interestrec("encode", "--model", str(model), "--to", "out/v.parquet", "--json", cwd=tmp_path)
    document = one_document(outcome.stdout)
    assert (document["command"], document["status"], document["source"]) == ("encode", "ok", "model")
    assert (document["file"], document["items"], document["width"]) == ("out/v.parquet", 4, 3)
    table = pq.read_table(tmp_path / "out" / "v.parquet")
    assert str(table.schema.field("vector").type) == "fixed_size_list<element: float not null>[3]"
    vectors = [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    assert table.to_pydict() == {"item_id": ["i0", "i1", "i2", "i3"], "vector": vectors}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["v.parquet"]


def test_encode_refuses_a_model_of_another_corpus(tmp_path: Path, model: Path) -> None:
    (tmp_path / "interestrec.yaml").write_text(CONFIG)
    with staged_version(
        tmp_path / "workspace", Recipe("corpus", {}, {"data": {"relevant_at": 0.7}}, seed=2)
    ) as partial:
        write_looked_at(partial)
    outcome = interestrec("encode", "--model", str(model), cwd=tmp_path)
    assert outcome.returncode == 65
    assert "run `interestrec finetune` again" in outcome.stderr
    assert not (tmp_path / "workspace" / "item_vectors.parquet").exists()


def test_encode_takes_one_source(tmp_path: Path) -> None:
    assert interestrec("encode", "--model", "a", "--encoder", "b", cwd=tmp_path).returncode == 2
