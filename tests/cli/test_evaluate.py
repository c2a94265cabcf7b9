"""`evaluate` as a gate and over several seeds, through the command line."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from interestrec import pipeline
from interestrec.cli import console
from interestrec.config.yaml_positions import dump_yaml
from interestrec.stages import evaluate
from tests.documents import one_document
from tests.stages.reports import by_hand
from tests.stages.test_evaluate_gate import ranked_anew


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Rankings of three users in the workspace `space`, and the configuration."""
    context = by_hand(tmp_path / "space")
    (tmp_path / "interestrec.yaml").write_text(dump_yaml(context.settings.model_dump(mode="json")))
    return tmp_path


def evaluated(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "interestrec", "evaluate", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_what_is_met_is_told_and_what_is_not_ends_with_status_1(directory: Path) -> None:
    good = evaluated("--require", "rmse < 0.2", cwd=directory)
    assert good.returncode == 0
    assert "rmse (intensity) is 0.1732, required is < 0.2; its 95 % interval" in good.stdout.splitlines()[-1]

    bad = evaluated("--require", "rmse<0.2", "--require", "rmse<0.1", "--require", "coverage>0.9", cwd=directory)
    assert bad.returncode == 1
    assert "Over the whole catalogue" in bad.stdout  # the report is shown all the same
    rmse, coverage = bad.stderr.splitlines()[-2:]
    assert rmse.startswith("interestrec evaluate: rmse (intensity) is 0.1732, required is < 0.1; its 95 % interval")
    assert coverage == "coverage (beyond) is 0.7500, required is > 0.9; it has no interval"

    told = evaluated("--require", "rmse<0.2", "--require", "coverage>0.9", "--json", cwd=directory)
    document = one_document(told.stdout)
    assert (told.returncode, document["exit_status"], document["status"]) == (1, 1, "error")
    assert document["gate"]["failed"] == [document["error"]]
    assert len(document["gate"]["in_order"]) == 1
    assert Path(document["summary"]["report"]).is_file()


def test_a_gate_of_the_configuration_is_one(directory: Path) -> None:
    outcome = evaluated("--set", "evaluate.require=[coverage>0.9]", cwd=directory)
    assert outcome.returncode == 1
    assert outcome.stderr.splitlines()[-1].startswith("interestrec evaluate: coverage (beyond) is 0.7500")


def test_not_worse_than(directory: Path) -> None:
    old = evaluate.run(by_hand(directory / "space", predicted=0.9)).artifact.path
    ranked_anew(directory / "space", {"swapped": True}, {"interestrec": "random", "random": "interestrec"})
    fallen = evaluated("--not-worse-than", str(old), cwd=directory)
    assert fallen.returncode == 1
    assert "quality fell: rmse (intensity) 0.5000 against 0.0577 of" in fallen.stderr
    assert "no evidence of a fall: " not in fallen.stderr
    risen = evaluated(
        "--not-worse-than", "space", "--rankings", str(ranked_anew(directory / "space", {}, {})), cwd=directory
    )
    assert risen.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["--require", "auc=0.6"], 2, "--require 'auc=0.6' cannot be read; write [protocol:][slice/]metric"),
        (["--require", "acu>0.6"], 78, "unknown metric 'acu' (did you mean 'auc'?); choose from: auc, "),
        (["--set", "evaluate.require=[auc]"], 78, "evaluate.require.0: 'auc' cannot be read"),
        (["--not-worse-than", "space/report"], 66, "space/report: no report here to compare with"),
        (["--seeds", "space"], 2, "a mean needs at least two seeds"),
        (["--seeds", "space", "--seeds", "b", "--rankings", "c"], 2, "--rankings and --seeds exclude each other"),
        (["--seeds", "space", "--seeds", "space/rankings"], 65, "are both of seed 1"),
    ],
)
def test_mistakes_are_one_sentence_and_nothing_is_built(
    directory: Path, arguments: list[str], status: int, told: str
) -> None:
    outcome = evaluated(*arguments, cwd=directory)
    assert outcome.returncode == status
    assert told in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert not (directory / "space" / "report").exists()


def test_seeds(directory: Path) -> None:
    by_hand(directory / "other", seed=2, predicted=0.4)
    outcome = evaluated("--seeds", "space", "--seeds", "other/rankings", "--json", cwd=directory)
    summary = json.loads(outcome.stdout)["summary"]
    assert summary["seeds"] == 2
    assert summary["intensity"]["interestrec"]["rmse"] == pytest.approx((0.3 + 0.6) / 3**0.5 / 2)


@pytest.mark.parametrize("as_json", [True, False])
def test_run_is_gated_too(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    context = by_hand(directory / "space")
    required = {"evaluate": context.settings.evaluate.model_copy(update={"require": ["coverage>0.9"]})}
    gated = dataclasses.replace(context, settings=context.settings.model_copy(update=required))
    with pytest.raises(SystemExit) as ended, console.session("run", as_json, quiet=False) as output:
        output.results(pipeline.run_all(gated, ["evaluate"]))
    assert ended.value.code == 1
    told = capsys.readouterr()
    assert "interestrec run: coverage (beyond) is 0.7500" in told.err
    if as_json:
        (stage,) = one_document(told.out)["stages"]
        assert stage["gate"]["failed"] == [one_document(told.out)["error"]]
    else:
        assert "report: " in told.out
