"""All five stages on generated logs: whole, repeatable, blind to the test split."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from interestrec.cli.status import as_text, status
from interestrec.config.loading import load_settings
from interestrec.core.errors import ArtifactError
from interestrec.io import files
from interestrec.io.locks import hold_lock
from interestrec.pipeline import STAGES, build_plans, run_all, run_stage
from interestrec.scorers.registry import COMPONENTS
from interestrec.scoring.rank_settings import RankSettings
from interestrec.stages.run import RunContext
from tests.generated import write_mind, write_shop
from tests.offline import offline

pytestmark = pytest.mark.slow

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


def context(config: Path, workspace: Path, *overrides: str) -> RunContext:
    return RunContext(load_settings(config, overrides, workspace))


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
    settings = RankSettings()
    alone = {name for name in settings.components if COMPONENTS[name] not in settings.systems}
    systems = {*settings.systems, *(f"only:{name}" for name in alone)}
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


_AGAIN = """
import sys
from pathlib import Path
from interestrec.config.loading import load_settings
from interestrec.stages.run import RunContext
from interestrec.pipeline import run_all
results = list(run_all(RunContext(load_settings(Path(sys.argv[1]), [], Path(sys.argv[2])))))
print([result.built for result in results], sorted({"tensorflow", "keras", "transformers"} & sys.modules.keys()))
"""


def test_running_again_touches_nothing_and_loads_no_tensorflow(news: Path) -> None:
    def state() -> dict[Path, tuple[int, ...]]:
        found = [(path, path.lstat()) for path in (news / "first").rglob("*")]
        return {path: (of.st_ino, of.st_size, of.st_mtime_ns, of.st_ctime_ns) for path, of in found}

    before = state()
    command = [sys.executable, "-c", _AGAIN, str(news / "news.yaml"), str(news / "first")]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert outcome.stdout == "[False, False, False, False, False] []\n"
    assert state() == before


def rebuilt(news: Path, *overrides: str) -> list[str]:
    """The stages that would build."""
    chosen = replace(context(news / "news.yaml", news / "first", *overrides), dry_run=True)
    return [plan.stage for plan in build_plans(list(STAGES), chosen) if plan.builds]


@pytest.mark.parametrize(
    ("key", "first"),
    [
        ("seed=6", "preprocess"),
        ("data.max_items_without_text=0.9", "preprocess"),
        ("preprocess.near_duplicate_items=merge", "preprocess"),
        ("pretrain_adapt.steps=5", "pretrain-adapt"),
        ("finetune.dropout=0.2", "finetune"),
        ("rank.top_k=19", "rank"),
        ("evaluate.bootstrap=101", "evaluate"),
        ("runtime.threads=1", None),
        ("runtime.checkpoint_seconds=1", None),
        ("evaluate.require=[auc>=0]", None),
    ],
)
def test_a_changed_key_builds_its_stage_and_those_below_alone(news: Path, key: str, first: str | None) -> None:
    names = list(STAGES)
    assert rebuilt(news, key) == ([] if first is None else names[names.index(first) :])


def test_a_changed_byte_of_the_input_builds_all_and_a_comment_nothing(news: Path) -> None:
    config, raw = news / "news.yaml", news / "raw" / "news.tsv"
    whole = raw.read_bytes()
    raw.write_bytes(whole.replace(b"e", b"a", 1))
    assert rebuilt(news) == list(STAGES)
    raw.write_bytes(whole)
    config.write_text(config.read_text() + "# a comment\n")
    assert rebuilt(news) == []


def test_a_dry_run_writes_nothing(news: Path, tmp_path: Path) -> None:
    chosen = replace(context(news / "news.yaml", tmp_path / "workspace"), dry_run=True)
    assert [plan.reasons for plan in build_plans(list(STAGES), chosen)] == [
        ("no version exists yet",),
        *[("preprocess would build before it",)] * 4,
    ]
    assert list(tmp_path.iterdir()) == []


def test_status_tells_what_is_fresh_stale_running_and_broken(news: Path, tmp_path: Path) -> None:
    chosen = context(news / "news.yaml", news / "first")
    assert [one.state for one in status(chosen)] == ["fresh"] * 5
    changed = context(news / "news.yaml", news / "first", "finetune.dropout=0.2")
    assert [one.state for one in status(changed)] == ["fresh", "fresh", "stale", "stale", "stale"]
    assert status(changed)[2].about == ("finetune.dropout changed from 0.1 to 0.2",)
    with hold_lock(news / "first" / "locks" / "model", "model") as lock:
        lock.record_progress("epoch 2: 3 of 9 steps")
        running = status(changed)[2]
    assert (running.state, running.running[0].pid, running.running[0].doing) == (
        "running",
        os.getpid(),
        "epoch 2: 3 of 9 steps",
    )
    assert "epoch 2: 3 of 9 steps" in as_text([running])
    fresh = context(news / "news.yaml", tmp_path / "none")
    assert [one.state for one in status(fresh)] == ["missing"] * 5
    broken = context(news / "news.yaml", news / "first", "data.root=nowhere")
    assert [one.state for one in status(broken)] == ["broken"] * 5
    assert "nowhere" in status(broken)[0].about[0]


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
    mixed = RunContext(other.settings, paths={k: news / "first" / k for k in ("encoder", "model", "rankings")})
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
    list(run_all(RunContext(load_settings(Path("my-shop.yaml"), ["finetune.epochs=1"]))))
    assert Path("workspace/my-shop/report/metrics.json").is_file()
    assert Path("workspace/my-shop/report/report.html").is_file()
    assert Path("workspace/my-shop/corpus/quality.json").is_file()
