"""All five stages on generated logs: whole, repeatable, blind to the test split."""

import json
import re
import shutil
import urllib.request
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow.parquet as pq
import pytest

from interestrec.core import files
from interestrec.core.config import load_settings
from interestrec.core.context import Context
from interestrec.core.errors import ArtifactError
from interestrec.core.rank_settings import SystemName
from interestrec.pipeline import STAGES, run_all, run_stage
from tests.generated import write_mind, write_shop
from tests.offline import offline

ROOT = Path(__file__).parents[1]
MIND = """
version: 1
seed: 5
data: {{format: mind, root: {root}, news: [news.tsv], train: [train.tsv], valid: [valid.tsv], test: [test.tsv]}}
preprocess: {{split: {{method: given}}}}
encoders: {{text: {{source: {encoder}}}}}
pretrain_adapt: {{steps: 4, batch_size: 8, held_out: 0.2}}
finetune: {{epochs: 3, history_epochs: 1, batch_size: 16, trainable_layers: 1}}
rank: {{top_k: 20, trials: 2, als: {{factors: 8}}, bpr: {{factors: 8, iterations: 10}}}}
evaluate: {{bootstrap: 100}}
"""


def context(config: Path, workspace: Path, *overrides: str) -> Context:
    return Context(load_settings(config, overrides, workspace))


@pytest.fixture(scope="module")
def news(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Path:
    """A directory with generated news, its configuration `news.yaml` and a finished run in `first`."""
    directory = tmp_path_factory.mktemp("news")
    write_mind(directory / "raw")
    (directory / "news.yaml").write_text(MIND.format(root=directory / "raw", encoder=tiny_encoder))
    with offline() as attempts:
        results = list(run_all(context(directory / "news.yaml", directory / "first")))
    assert attempts == []  # to reach a network, which no stage needs
    assert [result.built for result in results] == [True] * len(STAGES)
    return directory


def digests(workspace: Path) -> dict[str, str]:
    found = {}
    for kind in ("corpus", "encoder", "model", "rankings", "report"):
        for path in sorted((workspace / kind).resolve().rglob("*")):
            if path.is_file() and path.name != "timing.jsonl":
                found[f"{kind}/{path.relative_to((workspace / kind).resolve())}"] = files.sha256_of(path)
    return found


def test_being_offline_is_noticed() -> None:
    with offline() as attempts, pytest.raises(OSError, match="no network"):
        urllib.request.urlopen("http://127.0.0.1:9/")
    assert attempts


def test_every_system_has_every_metric(news: Path) -> None:
    metrics = pq.read_table(news / "first" / "report" / "metrics.parquet").to_pandas()
    systems = {*get_args(SystemName), "only:intensity", "only:item_item"}
    whole = metrics[metrics["slice"] == "all"]
    for protocol, names in {
        "impressions": {"auc", "mrr", "rr", "ndcg@5", "ndcg@10"},
        "catalogue": {"ndcg@10", "hit@10", "recall@20"},
        "intensity": {"rmse", "logloss"},
    }.items():
        rows = whole[whole["protocol"] == protocol]
        assert set(rows["system"]) == systems
        for system in systems:
            assert names <= set(rows[rows["system"] == system]["metric"])
    # A calibration error sums sizes, which chance only adds to: on few rows its draws may all lie above it.
    known = whole[whole["ci_low"].notna() & (whole["metric"] != "ece")]
    assert len(known) > len(whole) / 2
    assert (known["ci_low"] <= known["value"] + 1e-12).all()
    assert (known["value"] <= known["ci_high"] + 1e-12).all()


def test_the_planted_interest_is_found(news: Path) -> None:
    document = json.loads((news / "first" / "report" / "metrics.json").read_text())
    assert document
    metrics = pq.read_table(news / "first" / "report" / "metrics.parquet").to_pandas()
    auc = metrics[(metrics["metric"] == "auc") & (metrics["slice"] == "all")].set_index("system")["value"]
    assert auc["interestrec"] > 0.85
    assert 0.35 < auc["random"] < 0.65


def test_running_again_does_nothing(news: Path) -> None:
    results = list(run_all(context(news / "news.yaml", news / "first")))
    assert [result.built for result in results] == [False] * len(STAGES)


def test_two_runs_with_one_seed_are_equal_byte_for_byte(news: Path) -> None:
    list(run_all(context(news / "news.yaml", news / "second")))
    assert digests(news / "second") == digests(news / "first")


def test_another_seed_is_another_model(news: Path) -> None:
    for stage in ("preprocess", "pretrain-adapt", "finetune"):
        run_stage(stage, context(news / "news.yaml", news / "third", "seed=6"))
    one, other = (files.sha256_of(news / name / "model" / "weights.safetensors") for name in ("first", "third"))
    assert one != other


def train_and_valid(workspace: Path) -> list[tuple]:
    """Events outside test by string ids, in order of user id."""
    corpus = workspace / "corpus"
    item = pq.read_table(corpus / "items.parquet")["item_id"].to_pylist()
    user = pq.read_table(corpus / "users.parquet")["user_id"].to_pylist()
    rows = pq.read_table(corpus / "timelines.parquet").to_pylist()
    kept = [
        (user[r["user"]], item[r["item"]], r["time"], r["event"], r["intensity"], r["split"])
        for r in rows
        if r["split"] != "test"
    ]
    return sorted(kept, key=str)


def fitted(workspace: Path) -> dict[str, object]:
    """All that was learned: weights, calibration, blend and scorer settings."""
    systems = json.loads((workspace / "rankings" / "systems.json").read_text())["systems"]
    weights = files.read_safetensors(workspace / "model" / "weights.safetensors")
    return {
        "weights": {name: value.tobytes() for name, value in weights.items()},
        "calibration": json.loads((workspace / "model" / "calibration.json").read_text()),
        "encoder": files.sha256_of(workspace / "encoder" / "model.safetensors"),
        "systems": systems,
    }


def shuffled_test(lines: list[str], rng: np.random.Generator) -> list[str]:
    """Permute users and candidates among the rows of a MIND file, and forget the histories."""
    rows = [line.split("\t") for line in lines]
    users, candidates = rng.permutation([r[1] for r in rows]), rng.permutation([r[4] for r in rows])
    return ["\t".join([r[0], u, r[2], "", c]) for r, u, c in zip(rows, users, candidates, strict=True)]


def test_nothing_learned_depends_on_the_test_split(news: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for variant in ("permuted", "reduced"):
        raw = tmp_path / variant
        shutil.copytree(news / "raw", raw)
        lines = (raw / "test.tsv").read_text().splitlines()
        lines = shuffled_test(lines, rng) if variant == "permuted" else lines[:1]
        (raw / "test.tsv").write_text("\n".join(lines) + "\n")
        list(run_all(context(news / "news.yaml", tmp_path / f"{variant}-run", f"data.root={raw}")))
        assert train_and_valid(tmp_path / f"{variant}-run") == train_and_valid(news / "first")
        assert fitted(tmp_path / f"{variant}-run") == fitted(news / "first")


def test_nothing_learned_depends_on_test_events_of_a_log(tmp_path: Path, tiny_encoder: Path) -> None:
    write_shop(tmp_path / "raw")
    config = tmp_path / "shop.yaml"
    config.write_text(
        readme_config()
        .replace("root: .", f"root: {tmp_path / 'raw'}")
        .replace("data/encoders/minilm-l6", str(tiny_encoder))
    )
    list(run_all(context(config, tmp_path / "first", "finetune.epochs=1", "evaluate.bootstrap=50")))
    events = tmp_path / "raw" / "events.csv"
    header, *lines = events.read_text().splitlines()
    cut = int(len(lines) * 0.8)
    rows = [line.split(",") for line in lines]
    rng = np.random.default_rng(3)
    for column in (0, 1):
        values = rng.permutation([row[column] for row in rows[cut:]])
        for row, value in zip(rows[cut:], values, strict=True):
            row[column] = str(value)
    events.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n")
    list(run_all(context(config, tmp_path / "second", "finetune.epochs=1", "evaluate.bootstrap=50")))
    assert train_and_valid(tmp_path / "second") == train_and_valid(tmp_path / "first")
    assert fitted(tmp_path / "second") == fitted(tmp_path / "first")


def test_an_artifact_from_another_corpus_is_refused(news: Path, tmp_path: Path) -> None:
    other = context(news / "news.yaml", tmp_path, "seed=9", "preprocess.intensity.weights={click: 0.5, history: 0.5}")
    run_stage("preprocess", other)
    mixed = Context(other.settings, paths={k: news / "first" / k for k in ("encoder", "model", "rankings")})
    for stage in ("finetune", "rank", "evaluate"):
        with pytest.raises(ArtifactError, match="another corpus"):
            run_stage(stage, mixed)


def readme_config() -> str:
    """The YAML of the README's worked example."""
    found = re.search(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert found is not None
    return found.group(1)


def test_the_example_of_the_readme_runs(tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shop(tmp_path)
    monkeypatch.chdir(tmp_path)
    Path("my-shop.yaml").write_text(readme_config().replace("data/encoders/minilm-l6", str(tiny_encoder)))
    list(run_all(Context(load_settings(Path("my-shop.yaml"), ["finetune.epochs=1"]))))
    assert Path("workspace/my-shop/report/metrics.json").is_file()
    assert Path("workspace/my-shop/report/report.html").is_file()
    assert Path("workspace/my-shop/corpus/quality.json").is_file()
