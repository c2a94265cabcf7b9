"""What must not matter to a ranking: the order of rows, a file that is there twice, and what users are called."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from interestrec.config.settings import Settings
from interestrec.io import files
from interestrec.stages import preprocess, rank
from interestrec.stages.run import RunContext
from interestrec.workspace.artifacts import Recipe, open_artifact, staged_version
from tests import generated

pytestmark = pytest.mark.slow

SYSTEMS = ["popularity", "trending", "item_knn", "als", "ease", "tfidf"]
USERS, ITEMS = 40, 24
Lines = list[str]
Scores = dict[tuple[str, str, str], float]


def ranked(root: Path, encoder: Path, change: Callable[[Lines], Lines], names: list[str]) -> Scores:
    """Scores of every system for every user and item, of a log whose rows were changed."""
    raw = root / "raw"
    generated.write_shop(raw, USERS, ITEMS)
    header, *lines = (raw / "events.csv").read_text().splitlines()
    (raw / "events.csv").write_text("\n".join([header, *change(distinct_times(lines))]) + "\n")
    (raw / "again.csv").write_bytes((raw / "events.csv").read_bytes())
    columns = {"user": "user", "item": "item", "time": "time", "event": "kind"}
    values = {
        "workspace": str(root / "work"),
        "data": {
            "format": "events",
            "root": str(raw),
            "relevant_at": 0.1,
            "events": {"files": names, "columns": columns},
            "items": {"files": ["items.csv"], "columns": {"item": "item", "title": ["name"]}},
        },
        "preprocess": {"split": {"method": "global_time", "valid": 0.1, "test": 0.2}, "duplicates": "drop"},
        "encoders": {"text": {"source": str(encoder)}},
        "rank": {"systems": SYSTEMS, "trials": 1, "top_k": ITEMS},
    }
    context = RunContext(Settings.model_validate(values))
    corpus = preprocess.run(context).artifact
    with staged_version(root / "work", Recipe("encoder", {"corpus": corpus.digest}, {}, 1)) as directory:
        files.write_json(directory / "config.json", {})
    inputs = {"corpus": corpus.digest, "encoder": open_artifact(root / "work" / "encoder", "encoder").digest}
    with staged_version(root / "work", Recipe("model", inputs, {}, 1)) as directory:
        files.write_json(directory / "config.json", {})
    rows = pq.read_table(rank.run(context).artifact.path / "catalogue.parquet").to_pylist()
    return {(row["system"], row["user_id"], row["item_id"]): row["score"] for row in rows}


def distinct_times(lines: Lines) -> Lines:
    """The rows a second apart, so that their order is that of their times."""
    rows = [line.split(",") for line in lines]
    return [f"{user},{item},{1_700_000_000 + 3600 * n},{kind}" for n, (user, item, _, kind) in enumerate(rows)]


def shuffled(lines: Lines) -> Lines:
    return [lines[n] for n in np.random.default_rng(4).permutation(len(lines))]


def other(user: str) -> str:
    """Another user's name."""
    return f"u{(int(user[1:]) * 7 + 3) % USERS}"


def renamed(lines: Lines) -> Lines:
    return [",".join([other(line.split(",")[0]), *line.split(",")[1:]]) for line in lines]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Scores:
    return ranked(tmp_path_factory.mktemp("log"), tiny_encoder, list, ["events.csv"])


@pytest.mark.parametrize(
    ("change", "names", "name"),
    [
        (shuffled, ["events.csv"], str),
        (list, ["events.csv", "again.csv"], str),
        (list, ["events.csv", "*.csv", "events.csv"][::2], str),
        (renamed, ["events.csv"], other),
    ],
    ids=["shuffled", "copied", "named twice", "renamed"],
)
def test_scores_are_the_same(
    change: Callable[[Lines], Lines],
    names: list[str],
    name: Callable[[str], str],
    expected: Scores,
    tmp_path: Path,
    tiny_encoder: Path,
) -> None:
    found = ranked(tmp_path, tiny_encoder, change, names)
    meant = {(system, name(user), item): score for (system, user, item), score in expected.items()}
    assert found.keys() == meant.keys()
    assert {system for system, _, _ in found} == set(SYSTEMS)
    # ALS starts from random factors of the users in their order, and stops before it has forgotten them.
    for systems, most in ((set(SYSTEMS) - {"als"}, 1e-5), ({"als"}, 1e-3 if change is renamed else 1e-5)):
        scores = np.array([[found[key], meant[key]] for key in meant if key[0] in systems])
        np.testing.assert_allclose(scores[:, 0], scores[:, 1], rtol=0, atol=most)
