"""Broken raw files end in an error that says so in one line, or in a corpus in which every row is accounted for.

What is checked of a corpus, with the counts of `quality.json`: rows read = rows kept + rows left out + bad rows; and of
the build, events or impressions of the corpus = those read - what the rules left out.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from interestrec.config.settings import Settings
from interestrec.core.errors import InterestrecError
from interestrec.corpus.build import build
from interestrec.rawfiles.raw_log import RawLog
from interestrec.stages.preprocess import read, run
from interestrec.stages.run import RunContext
from tests.formats.damage import DAMAGES
from tests.formats.inputs import KINDS, settings_of

pytestmark = pytest.mark.slow

STATUSES = {65, 66, 74, 78}
TOLERANT = 1_000_000
CLEANING = ["unresolved events", "repeated events", "values out of range"]
CASES = [(kind, damage) for kind in KINDS for damage in DAMAGES]
CASES = [case for n, case in enumerate(CASES) if n % 6 != 5]  # five in six


def named(data: Any, old: str, new: str) -> Any:
    """The `data` section with a file's name changed."""
    return json.loads(json.dumps(data).replace(f'"{old}"', f'"{new}"'))


def damaged(directory: Path, kind: str, damage: str, seed: int, encoder: Path) -> dict[int, Settings]:
    """Settings by `max_bad_rows` over an input of which one file is broken."""
    rng = np.random.default_rng(seed)
    raw = directory / "raw"
    raw.mkdir()
    data = KINDS[kind](raw, rng)
    paths = sorted(raw.iterdir())
    before = paths[int(rng.integers(len(paths)))]
    after = DAMAGES[damage](before, rng)
    data = named(data, before.name, after.name)
    return {n: settings_of(directory, {**data, "max_bad_rows": n}, encoder) for n in (0, TOLERANT)}


def require_explained(error: InterestrecError) -> None:
    assert error.exit_status in STATUSES, error
    assert "\n" not in str(error)
    assert len(str(error)) < 2_000


def left_out(rules: list[dict[str, Any]], names: list[str]) -> int:
    return sum(rule["rows_in"] - rule["rows_out"] for rule in rules if rule["rule"] in names)


def read_all(settings: Settings, directory: Path | None) -> int | None:
    """Read, and build where there is a directory, checking the counts; the bad rows, None where it was refused."""
    log = RawLog(settings.data.root, threads=1)
    try:
        read(log, settings)
        bad = left_out(log.quality.rules, ["bad rows"])
        assert log.rows_read == log.rows_kept + log.rows_left_out + bad
        kept = {name: log.rows(name) for name in ("events", "impressions")}
        if directory is not None:
            built = build(log, settings.data, settings.preprocess, settings.seed, directory)
            require_accounted(log.quality.rules, built.counts, kept)
        return bad
    except InterestrecError as error:
        require_explained(error)
        if "cannot be read; check the file" in str(error):  # of text it is rows that are wrong, never the file
            assert ".parquet" in str(error)
        return None
    finally:
        log.close()


def require_accounted(rules: list[dict[str, Any]], counts: dict[str, Any], kept: dict[str, int]) -> None:
    found = {name: sum(counts[name].values()) for name in ("events", "impressions")}
    if kept["impressions"]:
        assert found["impressions"] == kept["impressions"]
    else:
        assert found["events"] == found["impressions"] == kept["events"] - left_out(rules, CLEANING)


@pytest.mark.parametrize(("seed", "kind", "damage"), [(n, *case) for n, case in enumerate(CASES)])
def test_a_broken_file_is_explained_or_accounted_for(tmp_path: Path, seed: int, kind: str, damage: str) -> None:
    settings = damaged(tmp_path, kind, damage, seed, tmp_path)
    target = tmp_path / "built" if seed % 3 == 0 else None
    if target is not None:
        target.mkdir()
    bad = read_all(settings[TOLERANT], target)
    if bad != 0:  # without bad rows both limits are the same
        strict = read_all(settings[0], None)
        assert strict is None or bad is None


@pytest.mark.parametrize(("seed", "kind", "damage"), [(1_000 + n, *case) for n, case in enumerate(CASES)][::10])
def test_a_stage_over_a_broken_file_leaves_nothing_half_done(
    tmp_path: Path, tiny_encoder: Path, seed: int, kind: str, damage: str
) -> None:
    workspace = tmp_path / "workspace"
    for settings in damaged(tmp_path, kind, damage, seed, tiny_encoder).values():
        try:
            result = run(RunContext(settings))
        except InterestrecError as error:
            require_explained(error)
            assert [path for path in workspace.rglob("*") if path.is_file() or path.is_symlink()] == []
            assert [path for path in workspace.rglob("*") if "partial" in path.name] == []
            continue
        quality = json.loads((result.artifact.path / "quality.json").read_text())
        counts = quality["counts"]
        tables = {n: pq.read_metadata(result.artifact.path / f"{n}.parquet").num_rows for n in ("items", "users")}
        assert tables == {"items": counts["items"], "users": counts["users"]}
        assert not [path for path in result.artifact.path.parent.iterdir() if "partial" in path.name]
