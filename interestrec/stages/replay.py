"""`replay`: policies predict a window of history, are scored by it, learn it, and go on.

The steps of policies are processes of their own, which run interestrec.stages.preprocess,
interestrec.stages.pretrain_adapt, interestrec.stages.finetune, interestrec.stages.rank, interestrec.stages.update and
interestrec.stages.recommend; their names here make the recipe cover their source.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from interestrec.config.loading import load_settings
from interestrec.config.settings import Settings
from interestrec.core.errors import ArtifactError, ConfigError
from interestrec.corpus.store import Corpus
from interestrec.io import artifact_files, files, report_schemas
from interestrec.io.schemas import OURS
from interestrec.learning.decision_age import EVERY, age_rows, age_sentence
from interestrec.learning.replay_policy import PolicyWorkspace, moment_text
from interestrec.learning.replay_requests import ReplayLog
from interestrec.learning.replay_run import BUILT_IN, REFIT, ReplayRun
from interestrec.learning.replay_scores import LONGEST
from interestrec.learning.replay_statistics import (
    ReplayScores,
    policy_sentences,
    replay_rows,
    withhold_small,
)
from interestrec.learning.replay_windows import decision_of, replay_windows, windows_with_targets
from interestrec.learning.step_process import StepProcesses
from interestrec.model.user_towers import USER_TOWERS
from interestrec.report import replay_page
from interestrec.stages.run import RunContext, StageResult, produce
from interestrec.workspace.artifacts import Artifact, Recipe, open_artifact
from interestrec.workspace.forgotten import FORGOTTEN_FILE

_SECTIONS = ("data", "items", "users", "preprocess", "encoders", "pretrain_adapt", "finetune", "rank")


def run(context: RunContext, jobs: int = 1) -> StageResult:
    """Replay the windows of the log; the artifact is `replay`.

    Args:
        jobs: policies that are worked on at a time; with more than one, seconds are measured beside others.

    Raises:
        InputMissingError: the workspace has no corpus, or the configuration of a policy is missing.
        ConfigError: a configuration cannot be replayed.
        ArtifactError: the raw files have changed since the corpus was made.
        DataError: the log has no complete window.
        StepError: a step failed.
    """
    settings = context.settings
    corpus = context.open("corpus")
    policies = _policies(settings)
    recipe = Recipe(
        kind="replay",
        inputs={"corpus": corpus.digest, **_encoder_digests(policies)},
        config={
            **settings.lineage("replay", "evaluate"),
            "policies": {name: of.lineage(*_SECTIONS) | {"seed": of.seed} for name, of in policies.items()},
        },
        seed=settings.seed,
    )
    work = context.work(recipe)
    build = partial(_build, context=context, corpus=corpus, policies=policies, work=work, jobs=jobs)
    return produce(context, recipe, build, _summarise)


def _policies(settings: Settings) -> dict[str, Settings]:
    """Return the configuration of each policy by name; that of a configuration file has the file's name.

    Raises:
        ConfigError: names are not unique, or a configuration cannot be replayed.
    """
    found: dict[str, Settings] = {}
    for entry in settings.replay.policies:
        name, of_policy = entry, settings
        if entry not in BUILT_IN:
            path = Path(entry)
            name, of_policy = path.stem, load_settings(path)
            if of_policy.data != settings.data:
                raise ConfigError(f"replay.policies: {entry} has another section `data`; policies replay one log")
        if name in found:
            raise ConfigError(f"replay.policies: two policies have the name {name}; rename one of the files")
        _require_replayable(of_policy, entry)
        found[name] = of_policy
    return found


def _require_replayable(settings: Settings, policy: str) -> None:
    where = f"replay.policies: {policy}"
    if OURS not in settings.rank.systems:
        raise ConfigError(f"{where}: rank.systems lacks {OURS}, by which a replay answers; add it")
    if USER_TOWERS[settings.finetune.user_tower].reads_text:
        raise ConfigError(
            f"{where}: finetune.user_tower {settings.finetune.user_tower} is encoded at every answer and cannot follow "
            "events; use another tower"
        )
    if settings.preprocess.pseudonym_key is not None or settings.runtime.encryption_key is not None:
        raise ConfigError(
            f"{where}: the requests of a replay are files with the ids of users, which preprocess.pseudonym_key and "
            "runtime.encryption_key forbid; replay a log whose ids are pseudonyms already"
        )


def _encoder_digests(policies: Mapping[str, Settings]) -> dict[str, str]:
    """Return the digests of the files of all encoders, which may be directories, by path within them."""
    digests = {}
    for policy, settings in policies.items():
        for name, entry in settings.encoders.items():
            source = Path(entry.source)
            for path in sorted(source.rglob("*")) if source.is_dir() else [source]:
                if path.is_file():
                    digests[f"{policy}: {name}, {path.name}"] = files.sha256_of(path)
    return digests


def _values(settings: Settings, of_log: bool) -> dict[str, Any]:
    """Return the configuration of a policy, or of the whole log, as JSON values.

    The split is by time and has no test, as the windows test. In the whole log every event stands as it happened:
    truths are no sums of several events, and do not fade.
    """
    values = settings.model_dump(mode="json")
    preprocess = values["preprocess"]
    preprocess["split"] = {"method": "global_time", "valid": settings.preprocess.split.valid, "test": 0}
    if of_log:
        preprocess["k_core"] = None
        preprocess["intensity"] |= {"combine": "none", "half_life_days": None}
    values["rank"] |= {"top_k": max(settings.rank.top_k, LONGEST), "deletion_users": 0}
    values["rank"]["rules"]["available"] = None  # it lists what is on sale today
    values["evaluate"] |= {"require": [], "not_worse_than": None}
    values["runtime"]["cluster"] = None
    del values["replay"]
    return values


def _build(
    directory: Path, context: RunContext, corpus: Artifact, policies: Mapping[str, Settings], work: Path, jobs: int
) -> None:
    settings = context.settings
    forgotten, processes = settings.workspace / FORGOTTEN_FILE, StepProcesses()
    whole = PolicyWorkspace(work / "log", _values(settings, of_log=True), processes)
    whole.prepare(forgotten)
    log = ReplayLog(Corpus(whole.log_once(), settings.data.relevant_at))
    _require_same_files(open_artifact(whole.workspace / "corpus", "corpus"), corpus)
    options, keeps_seen, users = settings.replay, settings.rank.rules.seen != "out", log.corpus.users.num_rows
    windows = replay_windows(log.events.time, options.start, options.window_length)
    replay = ReplayRun(
        work=work,
        log=log,
        windows=windows_with_targets(log.events, windows, users, keeps_seen, options.windows),
        policies={name: _values(of_policy, of_log=False) for name, of_policy in policies.items()},
        forgotten=forgotten,
        root=settings.data.root,
        keeps_seen=keeps_seen,
        processes=processes,
    )
    replay.run(jobs)
    _write(directory, replay, settings, jobs)


def _require_same_files(log: Artifact, corpus: Artifact) -> None:
    if log.manifest["inputs"] != corpus.manifest["inputs"]:
        raise ArtifactError(
            f"{corpus.path}: the raw files, the tokenizer or the list of forgotten users have changed since; run "
            "`interestrec preprocess`, then replay again"
        )


def _write(directory: Path, replay: ReplayRun, settings: Settings, jobs: int) -> None:
    """Write the tables, the documents and the page of a replay that is complete."""
    resamples, seed = settings.evaluate.bootstrap, settings.seed
    names = list(replay.policies)
    windows = [{name: replay.scores(name, n) for name in names} for n in range(len(replay.windows))]
    first = REFIT if REFIT in names else names[0]
    metrics, comparisons = withhold_small(
        *replay_rows(ReplayScores(windows, replay.log.user_id), first, resamples, seed), settings.evaluate.min_users
    )
    costs = _cost_rows(replay)
    fits = [row for row in costs if (row["policy"], row["step"]) == (REFIT, "learn")]
    seconds = {age: sum(row["seconds"] for row in fits if (row["window"] - 1) % age == 0) for age in replay.ages}
    aged, n_users = _ages(replay, resamples, seed)
    advice = partial(age_sentence, aged, settings.replay.tolerance, n_users)
    document = {
        "windows": [
            {"window": n, "start": moment_text(window.start), "stop": moment_text(window.stop)}
            for n, window in enumerate(replay.windows, 1)
        ],
        "told": {name: replay.told(name) for name in names},
        "ages": aged,
        "advice": advice() if aged else None,
    }
    fit_seconds = {str(age): total for age, total in seconds.items()}
    cost = {"jobs": jobs, "fit_seconds": fit_seconds, "advice": advice(seconds) if aged else None}
    _write_table(directory / artifact_files.REPLAY, metrics, report_schemas.REPLAY)
    _write_table(directory / artifact_files.COMPARISONS, comparisons, report_schemas.REPLAY_COMPARISONS)
    _write_table(directory / artifact_files.COSTS, costs, report_schemas.REPLAY_COSTS)
    files.write_json(directory / artifact_files.REPLAY_JSON, document)
    files.write_json(directory / artifact_files.COSTS_JSON, cost)
    page = replay_page.page(metrics, comparisons, costs, document, cost, settings.replay.window)
    files.write_text(directory / artifact_files.REPORT_PAGE, page)


def _cost_rows(replay: ReplayRun) -> list[dict[str, Any]]:
    """Return rows of report_schemas.REPLAY_COSTS."""
    return [
        {"window": n + 1, "policy": name, **{key: cost[key] for key in ("step", "seconds", "memory", "attempts")}}
        for name in replay.policies
        for n in range(len(replay.windows))
        for cost in replay.costs(name, n)
    ]


def _ages(replay: ReplayRun, resamples: int, seed: int) -> tuple[list[dict[str, Any]], int]:
    """Return the rows of `age_rows`, none without refits, and the number of users behind them."""
    if not replay.ages:
        return [], 0
    windows = [
        {EVERY.format(age): replay.aged_scores(n, decision_of(n, age)) for age in replay.ages}
        for n in range(len(replay.windows))
    ]
    metrics, comparisons = replay_rows(ReplayScores(windows, replay.log.user_id), EVERY.format(1), resamples, seed)
    users = [next(iter(tables.values()))["user"].to_numpy() for tables in windows]
    return age_rows(replay.ages, metrics, comparisons), len(np.unique(np.concatenate(users)))


def _write_table(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    files.write_parquet(path, pa.Table.from_pylist(rows, schema=schema), schema)


def _summarise(path: Path) -> dict[str, Any]:
    document, cost = (files.read_json(path / name) for name in (artifact_files.REPLAY_JSON, artifact_files.COSTS_JSON))
    rows = files.read_parquet(path / artifact_files.REPLAY, report_schemas.REPLAY).to_pylist()
    comparisons = files.read_parquet(path / artifact_files.COMPARISONS, report_schemas.REPLAY_COMPARISONS).to_pylist()
    sentences = [*policy_sentences(rows, comparisons), *([cost["advice"]] if cost["advice"] else [])]
    return {
        "report": str(path / artifact_files.REPORT_PAGE),
        "windows": len(document["windows"]),
        "findings": [{"sentence": sentence, "better": None} for sentence in sentences],
    }
