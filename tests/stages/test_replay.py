"""A replay of a small shop: blind to what comes later, equal after any kill, and lists as `rank` makes them."""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from interestrec.cli.app import app
from interestrec.config.settings import Settings
from interestrec.core.errors import ArtifactError, ConfigError
from interestrec.io import files
from interestrec.learning.replay_policy import moment_text
from interestrec.stages import preprocess, replay
from interestrec.stages.run import RunContext, StageResult
from tests.generated import write_shop
from tests.stages.learning import shop_sections
from tests.stages.replay_steps import Killed, StepsHere

pytestmark = pytest.mark.slow

RESULTS = ("replay.parquet", "comparisons.parquet", "replay.json")


@pytest.fixture(autouse=True)
def steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[StepsHere]]:
    monkeypatch.setattr(replay, "StepProcesses", StepsHere)
    StepsHere.reset()
    yield StepsHere


def context(root: Path, encoder: Path, **options: Any) -> RunContext:
    """The settings of a light replay of the raw log in `root/raw`, with a corpus."""
    values = {
        **shop_sections(root),
        "encoders": {"text": {"source": str(encoder)}},
        "pretrain_adapt": {"steps": 0},
        "finetune": {"epochs": 1, "batch_size": 64, "hidden": [8], "width": 8},
        "rank": {
            "top_k": 10,
            "trials": 1,
            "systems": ["interestrec", "popularity"],
            "components": ["item_item", "popularity"],
        },
        "evaluate": {"bootstrap": 50},
        "replay": {"window": "5d", "windows": 2, **options},
    }
    made = RunContext(Settings.model_validate(values))
    preprocess.run(made)
    return made


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shop")
    write_shop(root / "raw")
    return root


def results(result: StageResult) -> dict[str, str]:
    """Digests of the files that do not tell seconds."""
    return {name: files.sha256_of(result.artifact.path / name) for name in RESULTS}


def values(result: StageResult) -> dict[tuple[int | None, str], float]:
    rows = pq.read_table(result.artifact.path / "replay.parquet").to_pylist()
    return {(row["window"], row["policy"]): row["value"] for row in rows if row["metric"] == "ndcg@10"}


def with_workspace(made: RunContext, workspace: Path) -> RunContext:
    moved = dataclasses.replace(made, settings=made.settings.model_copy(update={"workspace": workspace}))
    preprocess.run(moved)
    return moved


def times_below(directory: Path) -> list[int]:
    """Times of all events in the files below a directory, in microseconds."""
    tables = [pq.read_table(path, columns=["time"]) for path in directory.rglob("timelines.parquet")]
    return [int(at) for table in tables for at in np.asarray(table["time"].cast("int64"))]


def test_no_policy_has_anything_of_the_future_and_frozen_is_what_refit_was_first(
    raw: Path, tiny_encoder: Path, steps: type[StepsHere]
) -> None:
    made = context(raw, tiny_encoder)
    seen: list[int] = []

    def watch(command: Sequence[str]) -> None:
        config = files.read_json(Path(command[command.index("--config") + 1]))
        until = config["preprocess"].get("until")
        if until is None:  # the log itself, from which truths are taken
            return
        end = int(np.datetime64(until.partition("+")[0], "us").astype("int64"))
        times = times_below(Path(config["workspace"]))
        assert times or command[0] == "recommend"  # what answers as `frozen` needs no log but that of the decision
        assert max(times, default=0) < end
        seen.append(end)

    steps.watch = watch
    result = replay.run(made)
    assert len(set(seen)) == 2
    found = values(result)
    assert found[1, "refit"] == found[1, "update"] == found[1, "frozen"]
    document = files.read_json(result.artifact.path / "replay.json")
    assert [age["every"] for age in document["ages"]] == [1, 2]
    assert document["ages"][1]["value"] == pytest.approx(found[None, "frozen"])
    assert document["told"]["refit"]["new_events"] == document["told"]["update"]["new_events"] == 0
    assert document["told"]["frozen"]["new_events"] > 0
    assert min(found.values()) > 10 / 60 / 10  # a random list of ten of sixty items has about 0.08
    assert not (made.settings.workspace / "work" / "replay").exists() or not any(
        (made.settings.workspace / "work" / "replay").iterdir()
    )
    costs = pq.read_table(result.artifact.path / "costs.parquet").to_pylist()
    assert {(row["policy"], row["step"]) for row in costs} >= {
        ("refit", "learn"),
        ("update", "learn"),
        ("frozen", "answer"),
    }
    commands = len(steps.commands)
    again = replay.run(made)
    assert (again.built, len(steps.commands)) == (False, commands)


@pytest.fixture(scope="module")
def undisturbed(
    raw: Path, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[RunContext, dict[str, str], int]:
    """A replay of which the number of commands and the results are known."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(replay, "StepProcesses", StepsHere)
        StepsHere.reset()
        made = with_workspace(
            context(raw, tiny_encoder, policies=["update", "refit"]), tmp_path_factory.mktemp("whole") / "work"
        )
        return made, results(replay.run(made)), len(StepsHere.commands)


def test_a_replay_that_is_killed_anywhere_ends_with_equal_results(
    undisturbed: tuple[RunContext, dict[str, str], int], tmp_path: Path, steps: type[StepsHere]
) -> None:
    made, expected, _ = undisturbed
    moved = with_workspace(made, tmp_path / "work")
    steps.before, steps.after = {1, 4, 11, 18, 26}, {5, 10, 17, 19, 25, 28}
    attempts = 0
    while True:
        attempts += 1
        try:
            result = replay.run(moved)
            break
        except Killed:
            continue
    assert attempts > 8
    assert results(result) == expected


def test_events_after_a_window_begins_do_not_change_its_lists_which_are_those_of_rank(
    tiny_encoder: Path, tmp_path: Path, steps: type[StepsHere]
) -> None:
    """A control: other events in the second window, and an item that is sold for the first time then."""
    lists: dict[str, list[str]] = {"before": [], "after": []}
    ranked: list[dict[str, Any]] = []

    def keep(name: str) -> Any:
        def watch(command: Sequence[str]) -> None:
            if command[0] != "recommend":
                return
            config = Path(command[command.index("--config") + 1])
            lists[name].append((config.parent / "refit.jsonl").read_text())
            if not ranked:
                at = command[command.index("--as-of") + 1]
                app(["rank", "--config", str(config), "--as-of", at, "--quiet"], standalone_mode=False)
                workspace = Path(files.read_json(config)["workspace"])
                ranked.extend(pq.read_table(workspace / "lists" / "catalogue.parquet").to_pylist())

        return watch

    write_shop(tmp_path / "one" / "raw")
    made = context(tmp_path / "one", tiny_encoder, policies=["refit"], windows=1)
    steps.watch = keep("before")
    first = replay.run(made)
    start = files.read_json(first.artifact.path / "replay.json")["windows"][0]["start"]
    header, *rows = (tmp_path / "one" / "raw" / "events.csv").read_text().splitlines()
    begin = start.partition("+")[0]
    early = [row for row in rows if row.split(",")[2] < begin]
    late = [row for row in rows if row.split(",")[2] >= begin]
    swapped = [
        ",".join([row.split(",")[0], late[-1 - n].split(",")[1], *row.split(",")[2:]]) for n, row in enumerate(late)
    ]
    (tmp_path / "two" / "raw").mkdir(parents=True)
    (tmp_path / "two" / "raw" / "items.csv").write_text((tmp_path / "one" / "raw" / "items.csv").read_text())
    (tmp_path / "two" / "raw" / "events.csv").write_text("\n".join([header, *early, *swapped]) + "\n")
    steps.watch = keep("after")
    second = replay.run(context(tmp_path / "two", tiny_encoder, policies=["refit"], windows=1))
    documents = {
        name: {line["user_id"]: line["items"] for line in map(json.loads, text[0].splitlines())}
        for name, text in lists.items()
    }
    common = documents["before"].keys() & documents["after"].keys()
    assert len(common) > 20
    assert all(documents["before"][user] == documents["after"][user] for user in common)
    assert results(first) != results(second)
    of_rank: dict[str, list[str]] = {}
    for row in sorted(ranked, key=lambda row: row["rank"]):
        of_rank.setdefault(row["user_id"], []).append(row["item_id"])
    assert all([item["item_id"] for item in items] == of_rank[user] for user, items in documents["before"].items())


def test_a_configuration_is_a_policy_and_is_named_by_its_file(
    raw: Path, tiny_encoder: Path, tmp_path: Path, steps: type[StepsHere]
) -> None:
    made = context(raw, tiny_encoder)
    values_of = made.settings.model_dump(mode="json")
    values_of["rank"]["components"] = ["popularity"]
    files.write_json(tmp_path / "plain.yaml", values_of)
    options = made.settings.replay.model_copy(
        update={"policies": [str(tmp_path / "plain.yaml"), "refit"], "windows": 1}
    )
    both = dataclasses.replace(made, settings=made.settings.model_copy(update={"replay": options}))
    result = replay.run(with_workspace(both, tmp_path / "work"))
    assert {policy for _, policy in values(result)} == {"plain", "refit"}
    assert sum(command[0] == "finetune" for command in steps.commands) == 2


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rank": {"systems": ["popularity"]}}, "rank.systems lacks interestrec"),
        ({"finetune": {"user_tower": "text"}}, "finetune.user_tower text"),
        ({"preprocess": {"pseudonym_key": "key"}}, "preprocess.pseudonym_key"),
    ],
)
def test_what_cannot_be_replayed_is_refused(
    raw: Path, tiny_encoder: Path, changes: dict[str, dict[str, Any]], says: str
) -> None:
    made = context(raw, tiny_encoder)
    dumped = made.settings.model_dump(mode="json")
    for section, keys in changes.items():
        dumped[section] |= keys
    with pytest.raises(ConfigError, match=says):
        replay.run(dataclasses.replace(made, settings=Settings.model_validate(dumped)))


def test_raw_files_that_changed_since_the_corpus_are_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    write_shop(tmp_path / "raw")
    made = context(tmp_path, tiny_encoder)
    events = tmp_path / "raw" / "events.csv"
    events.write_text("\n".join(events.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(ArtifactError, match="have changed since; run `interestrec preprocess`"):
        replay.run(made)


def test_times_are_written_as_they_are() -> None:
    assert moment_text(1_772_000_000_123_456) == "2026-02-25T06:13:20.123456+00:00"
