"""What earlier releases wrote is read, and means what it meant."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from interestrec.core.errors import ArtifactError
from interestrec.corpus.store import Corpus
from interestrec.io import files, report_schemas, schemas
from interestrec.io.schemas import OLDEST_MINOR, SCHEMA_VERSION
from interestrec.stages.evaluate import run
from interestrec.workspace.artifacts import open_artifact
from tests.golden.__main__ import EXPECTED, KINDS, known
from tests.stages.reports import by_hand

VERSIONS = sorted(path for path in Path(__file__).parent.iterdir() if (path / "corpus").is_dir())
TABLES = {
    "corpus/items.parquet": schemas.ITEMS,
    "corpus/users.parquet": schemas.USERS,
    "corpus/timelines.parquet": schemas.TIMELINES,
    "rankings/impressions.parquet": schemas.RANKED_IMPRESSIONS,
    "rankings/catalogue.parquet": schemas.RANKED_CATALOGUE,
    "rankings/truth.parquet": schemas.TRUTH,
    "report/metrics.parquet": report_schemas.METRICS,
    "report/comparisons.parquet": report_schemas.COMPARISONS,
}


def present(version: Path) -> list[str]:
    """The kinds of a version that are still read."""
    return [kind for kind in KINDS if int(version.name.partition(".")[2]) >= OLDEST_MINOR.get(kind, 0)]


def test_each_version_has_its_artifacts() -> None:
    assert SCHEMA_VERSION in [path.name for path in VERSIONS]
    for version in VERSIONS:
        assert sorted(path.name for path in version.iterdir()) == sorted(present(version))


@pytest.mark.parametrize("version", VERSIONS, ids=lambda path: path.name)
def test_every_table_has_the_columns_that_are_read(version: Path) -> None:
    for kind in present(version):
        open_artifact(version / kind, kind)
    for name, schema in TABLES.items():
        if Path(name).parts[0] not in present(version):
            continue
        found = files.read_parquet(version / name, schema).schema
        assert [found.field(field.name).type for field in schema] == [field.type for field in schema], name
    assert Corpus(version / "corpus", 0.5).items.num_rows == 4


@pytest.mark.parametrize("kind", KINDS)
def test_no_flipped_bit_is_read(kind: str, tmp_path: Path) -> None:
    artifact = tmp_path / kind
    shutil.copytree(VERSIONS[-1] / kind, artifact)
    paths = sorted(path for path in artifact.rglob("*") if path.is_file() and path.name != "manifest.json")
    rng = np.random.default_rng(0)
    for _ in range(200):
        path = paths[int(rng.integers(len(paths)))]
        whole = path.read_bytes()
        at, bit = int(rng.integers(len(whole))), 1 << int(rng.integers(8))
        path.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
        with pytest.raises(ArtifactError, match=path.name):
            open_artifact(artifact, kind)
        path.write_bytes(whole)
    open_artifact(artifact, kind)


@pytest.mark.parametrize("version", [path for path in VERSIONS if "model" in present(path)], ids=lambda path: path.name)
def test_its_model_scores_as_it_did(version: Path) -> None:
    expected = files.read_json(version / "model" / EXPECTED)
    order, strength = known(version / "model", version / "corpus")
    assert len(expected["order"]) == len(expected["strength"]) == 12
    np.testing.assert_allclose(order, expected["order"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(strength, expected["strength"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "version", [path for path in VERSIONS if "rankings" in present(path)], ids=lambda path: path.name
)
def test_its_rankings_are_judged_as_they_were(version: Path, tmp_path: Path) -> None:
    context = by_hand(tmp_path)
    for kind in ("corpus", "rankings"):
        shutil.rmtree((tmp_path / kind).resolve())
        (tmp_path / kind).unlink()
        shutil.copytree(version / kind, tmp_path / kind)
    report = run(context).artifact.path
    before = pq.read_table(version / "report" / "metrics.parquet").to_pylist()
    now = pq.read_table(report / "metrics.parquet").to_pylist()
    assert len(before) >= 20
    assert [row for row in before if row not in now] == []
