"""`evaluate` as a gate and over several seeds, through the command line."""

import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from interestrec import pipeline
from interestrec.cli import console
from interestrec.config.yaml_positions import dump_yaml
from interestrec.stages import evaluate
from interestrec.stages.run import StageResult
from interestrec.workspace.artifacts import Artifact
from tests.cli.test_entry import in_a_terminal
from tests.documents import one_document
from tests.stages.reports import by_hand
from tests.stages.test_evaluate_gate import ranked_anew

pytestmark = pytest.mark.slow


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Rankings of three users in the workspace `space`, and the configuration."""
    context = by_hand(tmp_path / "space")
    (tmp_path / "interestrec.yaml").write_text(dump_yaml(context.settings.model_dump(mode="json")))
    return tmp_path


def evaluated(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "interestrec", "evaluate", *arguments]
    env = {**os.environ, **environment}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=env)


def test_it_ends_with_sentences_a_table_and_the_path_whatever_columns_says(directory: Path) -> None:
    told = evaluated(cwd=directory, COLUMNS="40")
    path = (directory / "space" / "report").resolve() / "report.html"
    assert told.stdout.splitlines() == [
        "evaluate: built",
        "",
        "Over the whole catalogue: No evidence that interestrec and random, the strongest other system, differ: "
        "rr 0.5833 against 0.3333 (difference +0.2500, no bounded 95 % interval, 3 users). 3 users are too few for a "
        "reliable interval.",
        "Predicted intensity against labels: No evidence that interestrec and random, the strongest other system, "
        "differ: rmse 0.1732 against 0.5000 (difference -0.3268, no bounded 95 % interval, 3 users). 3 users are too "
        "few for a reliable interval.",
        "",
        "Over the whole catalogue, by rr (n = 3)",
        "system           rr     95 % interval  ndcg@5  recall@10",
        "interestrec  0.5833  0.0563 to 0.9812  0.6052     0.6667",
        "random       0.3333  0.0000 to 0.9250  0.3333     0.3333",
        "",
        f"report: {path}",
    ]
    again = evaluated("--verbose", cwd=directory, COLUMNS="200")
    first, last = told.stdout.partition("\n\n")[2], again.stdout
    assert last.startswith("evaluate: up to date  report ")
    assert last.endswith(first)
    for text in ("Beyond accuracy: the first ten over the whole catalogue (n = 2)", "slices_left_out "):
        assert text in last
        assert text not in told.stdout


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_on_a_terminal_nothing_is_cut_or_wider_than_it(directory: Path, width: int) -> None:
    evaluate.run(by_hand(directory / "space"))
    dump_yaml = in_a_terminal(["-m", "interestrec", "evaluate", "--verbose"], directory, width=width).decode()
    plain = re.sub("\x1b\\[[0-9]+m", "", dump_yaml)
    assert plain != dump_yaml  # ours and the best are in bold type
    shown = [line for line in plain.splitlines() if "report.html" not in line]
    assert max(map(len, shown)) <= width
    assert "…" not in plain
    assert "..." not in plain
    assert "too few" in " ".join(shown)


def test_quiet_and_verbose_exclude_each_other(directory: Path) -> None:
    told = evaluated("--quiet", "--verbose", "--json", cwd=directory)
    assert told.returncode == 2
    assert one_document(told.stdout)["error"].startswith("--quiet and --verbose exclude each other")
    assert not (directory / "space" / "report").exists()


def test_run_ends_with_what_adaptation_made_worse(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    context = by_hand(directory / "space")
    worse = {"figure": "uniformity", "sentence": "Uniformity rose.", "better": False}
    better = {"figure": "loss", "sentence": "The loss fell.", "better": True}
    encoder = Artifact("encoder", directory, "0", {})
    adapted = StageResult(encoder, built=True, summary={"steps": 3, "findings": [better, worse]})
    with console.session("run", as_json=False, quiet=False) as output:
        output.results([adapted, pipeline.run_stage("evaluate", context)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["pretrain-adapt: built  steps 3", "The loss fell.", "warning: Uniformity rose."]
    assert lines.index("Warning: pretrain-adapt: Uniformity rose.") < len(lines) - 5
    assert lines[-1].startswith("report: ")
    assert "Warning: pretrain-adapt: The loss fell." not in lines


def test_what_is_met_is_told_and_what_is_not_ends_with_status_1(directory: Path) -> None:
    good = evaluated("--require", "rmse < 0.2", cwd=directory)
    assert good.returncode == 0
    *lines, last = good.stdout.splitlines()
    assert last.startswith("report: ")
    assert any(line.startswith("rmse (intensity) is 0.1732, required is < 0.2; its 95 % interval") for line in lines)

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
        (["--not-worse-than", "space/report"], 66, "space/report: there is no report to compare with"),
        (["--seeds", "space"], 2, "a mean needs at least two seeds"),
        (["--seeds", "space", "--seeds", "b", "--rankings", "c"], 2, "--rankings and --seeds exclude each other"),
        (["--seeds", "space", "--seeds", "space/rankings"], 65, "both have seed 1"),
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
def test_run_is_gated_too(directory: Path, capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
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
