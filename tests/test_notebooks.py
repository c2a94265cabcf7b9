"""Notebooks run from the first cell to the last, and print what the artifacts say."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import jupytext
import nbclient
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.tracking.reading import read_tensorboard

pytestmark = pytest.mark.slow

SYSTEMS = ["interestrec", "popularity", "random"]
ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
COMMAND = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
KERNEL = {"argv": COMMAND, "display_name": "tests", "language": "python"}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Iterator[Path]:
    """A directory for what notebooks make, and an environment in which nothing else is touched or read."""
    home = tmp_path_factory.mktemp("jupyter")
    (home / "kernels" / "tests").mkdir(parents=True)
    (home / "kernels" / "tests" / "kernel.json").write_text(json.dumps(KERNEL))
    work = tmp_path_factory.mktemp("notebooks")
    places = ("JUPYTER_PATH", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR")
    with pytest.MonkeyPatch.context() as patch:
        for name in (*places, "IPYTHONDIR", "MPLCONFIGDIR"):
            patch.setenv(name, str(home))
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("NOTEBOOK_WORK", str(work))
        patch.setenv("NOTEBOOK_ENCODER", str(tiny_encoder))
        yield work


def printed(name: str) -> dict[str, float]:
    """Run a notebook; return the numbers that it prints as `name = number`."""
    notebook = jupytext.read(ROOT / "notebooks" / name)
    client = nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="tests", resources={"metadata": {"path": str(ROOT / "notebooks")}}
    )
    client.execute()
    streams = [
        output["text"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output["output_type"] == "stream" and output["name"] == "stdout"
    ]
    lines = re.findall(r"^(\w+) = (-?[\d.]+)$", "".join(streams), re.MULTILINE)
    return {name: float(value) for name, value in lines}


def table(work: Path, name: str) -> pa.Table:
    return pq.read_table(work / "workspace" / name)


def test_look_at_a_corpus(work: Path) -> None:
    numbers = printed("1_look_at_a_corpus.py")
    timelines = table(work, "corpus/timelines.parquet")
    relevant = timelines.filter(pc.greater_equal(timelines["intensity"], 0.5))
    assert numbers == {
        "items": table(work, "corpus/items.parquet").num_rows,
        "users": len(pc.unique(timelines["user"])),
        "events": timelines.num_rows,
        "relevant_share": pytest.approx(relevant.num_rows / timelines.num_rows, abs=1e-6),
        "test_events": pc.sum(pc.equal(timelines["split"].cast(pa.string()), "test")).as_py(),
        "most_popular_events": pc.max(pc.value_counts(relevant["item"]).field("counts")).as_py(),
    }


def test_train_and_compare(work: Path) -> None:
    numbers = printed("2_train_and_compare.py")
    loss = [row for row in table(work, "model/training_log.parquet").to_pylist() if row["name"] == "loss"]
    ndcg = ndcg_by_hand(work)
    assert numbers == {
        "steps": len(loss),
        "last_loss": pytest.approx(loss[-1]["value"], abs=1e-6),
        **{f"ndcg_{system}": pytest.approx(ndcg[system], abs=1e-5) for system in SYSTEMS},
        "difference_to_popularity": pytest.approx(ndcg["interestrec"] - ndcg["popularity"], abs=1e-5),
    }
    runs = read_tensorboard(work / "workspace" / "tracking")
    (report,) = [figures for name, figures in runs.items() if name.startswith("evaluate")]
    assert report["catalogue/all/ndcg@10/interestrec", 0] == [pytest.approx(numbers["ndcg_interestrec"], abs=1e-5)]


def ndcg_by_hand(work: Path) -> dict[str, float]:
    """Mean ndcg@10 over users with a relevant test item, from the lists and the truth."""
    truth: dict[str, set[str]] = {}
    for row in table(work, "rankings/truth.parquet").to_pylist():
        if row["relevant"]:
            truth.setdefault(row["user_id"], set()).add(row["item_id"])
    lists = table(work, "rankings/catalogue.parquet").to_pandas()
    lists["discount"] = (1 / np.log2(lists["rank"] + 1)).where(lists["rank"] <= 10, 0)
    # Equal scores of a user have no order: each of the items has the mean discount of their places.
    lists["discount"] = lists.groupby(["system", "user_id", "score"], observed=True)["discount"].transform("mean")
    ideal = np.cumsum(1 / np.log2(np.arange(2, 12)))
    gains: dict[str, float] = {}
    for row in lists.itertuples():
        liked = truth.get(row.user_id, set())
        if row.item_id in liked:
            gains[row.system] = gains.get(row.system, 0.0) + row.discount / ideal[min(len(liked), 10) - 1]
    return {system: gain / len(truth) for system, gain in gains.items()}


def test_recommend_and_explain(work: Path) -> None:
    numbers = printed("3_recommend_and_explain.py")
    assert numbers["sum_of_terms"] == pytest.approx(numbers["first_score"], abs=1e-6)
    assert numbers["seen_among_listed"] == 0
    timelines, users = table(work, "corpus/timelines.parquet"), table(work, "corpus/users.parquet")
    relevant = timelines.filter(pc.greater_equal(timelines["intensity"], 0.5))
    counts = pc.value_counts(relevant["user"])
    most = pc.max(counts.field("counts"))
    names = {row["user"]: row["user_id"] for row in users.to_pylist()}
    user = min(
        (row["values"] for row in counts.to_pylist() if row["counts"] == most.as_py()), key=lambda number: names[number]
    )
    assert numbers["events_of_history"] == pc.sum(pc.equal(timelines["user"], user)).as_py()


def test_tune_and_replay(work: Path) -> None:
    numbers = printed("4_tune_and_replay.py")
    tuning = work / "tuned" / "tuning"
    trials = pq.read_table(tuning / "trials.parquet").to_pylist()
    of_knn = json.loads((tuning / "tuning.json").read_text())["systems"]["item_knn"]["blend"]
    curve = pq.read_table(work / "tuned" / "replay" / "replay.parquet").to_pylist()
    windows: dict[str, list[float]] = {}
    for row in curve:
        if row["window"] is not None and row["metric"] == "ndcg@10":
            windows.setdefault(row["policy"], []).append(row["value"])
    assert [len(values) for values in windows.values()] == [2, 2]
    assert numbers == {
        "trials": 24,
        "complete_trials": sum(row["state"] == "complete" for row in trials),
        "gain_of_item_knn": pytest.approx(of_knn["found"] - of_knn["configured"], abs=1e-5),
        "ndcg_update": pytest.approx(np.mean(windows["update"]), abs=1e-5),  # every window counts the same
        "ndcg_frozen": pytest.approx(np.mean(windows["frozen"]), abs=1e-5),
    }


def test_every_notebook_is_tested() -> None:
    tested = re.findall(r'printed\("(\w+\.py)"\)', Path(__file__).read_text())
    assert tested == [path.name for path in NOTEBOOKS]
