"""`interestrec recommend` on the command line: questions, formats, and what is refused with which status."""

import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import Result
from typer.testing import CliRunner

from interestrec.cli.app import app
from interestrec.config.yaml_positions import dump_yaml
from interestrec.stages import rank
from tests.stages.ranking import log_of_events, workspace


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a decision that needs no model, and the configuration."""
    root = tmp_path_factory.mktemp("answers")
    log = [event._replace(event="view" if event.item % 3 else "purchase") for event in log_of_events()]
    components = ["item_item", "collaborative", "trending", "content"]
    context = workspace(
        root / "space", log, systems=["interestrec"], components=components, estimators=["bias"], ablation="none"
    )
    rank.run(context)
    path = root / "interestrec.yaml"
    path.write_text(dump_yaml(context.settings.model_dump(mode="json")))
    return path


def recommend(config: Path, *arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(app, ["recommend", "--config", str(config), *arguments], input=given)


def test_a_list_for_people_fits_eighty_columns(config: Path) -> None:
    outcome = recommend(config, "--user", "u3", "--user", "u4", "-k", "3", "--why")
    assert outcome.exit_code == 0
    lines = outcome.stdout.splitlines()
    assert lines[0] == "u3"
    assert "u4" in lines
    assert sum(line.startswith(("  1 ", "  2 ", "  3 ")) for line in lines) == 6
    assert any(line.startswith("      because of ") for line in lines)
    assert max(map(len, lines)) <= 80


def test_all_formats_have_the_same_rows(config: Path) -> None:
    asked = ("--user", "u3", "-k", "4", "--ids")
    table = recommend(config, *asked).stdout.splitlines()
    csv = recommend(config, *asked, "--format", "csv").stdout.splitlines()
    lines = json.loads(recommend(config, *asked, "--format", "jsonl").stdout)
    parquet = pq.read_table(io.BytesIO(recommend(config, *asked, "--format", "parquet").stdout_bytes))
    items = [item["item_id"] for item in lines["items"]]
    assert [line.split(",")[2] for line in csv[1:]] == items
    assert [line.split()[2] for line in table[2:]] == items
    assert parquet["item_id"].to_pylist() == items
    assert "title" not in csv[0]


def test_other_questions(config: Path) -> None:
    assert recommend(config, "--history", "i3,i5:purchase@1970-01-02", "-k", "2").stdout.startswith("you\n")
    assert recommend(config, "--history", "-", "-k", "2", given="i3\ni5\n").exit_code == 0
    assert recommend(config, "--like", "i3", "-k", "2").exit_code == 0
    assert recommend(config, "--for-item", "i3", "--users", "all", "-k", "2").stdout.startswith("i3\n")
    asked = recommend(config, "--requests", "-", "-k", "2", given='{"user": "u1"}\n{"user": "x"}\n')
    assert asked.exit_code == 65
    assert len(json.loads(asked.stdout.splitlines()[0])["items"]) == 2
    assert "no user 'x'" in json.loads(asked.stdout.splitlines()[1])["error"]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ((), 2, "ask for someone"),
        (("--user", "u1", "--like", "i1"), 2, "--like and --user exclude each other"),
        (("--like", "i1", "--why"), 2, "not for --like"),
        (("--requests", "-", "--format", "csv"), 2, "--format csv does not fit"),
        (("--user", "u1", "--filter", "colour=red"), 2, "items have no column 'colour'"),
        (("--user", "u1", "--as-of", "yesterday"), 2, "--as-of yesterday"),
        (("--user", "u999"), 65, "no user 'u999' in the decision"),
        (("--history", "i999"), 65, "no item 'i999' in the decision"),
        (("--history", "i1:bought"), 65, "the kinds of the log are: purchase, view"),
        (("--like", "i999"), 65, "no item 'i999' in the decision"),
        (("--user", "u1", "--exclude-kinds", "bought"), 65, "no event of the log is of kind 'bought'"),
        (("--pairs", "nothing.csv"), 66, "nothing.csv: no such file"),
        (("--users", "nothing.txt"), 66, "nothing.txt: no such file"),
        (("--user", "u1", "--workspace", "nowhere"), 66, "no decision here; run `interestrec rank` first"),
        (("--user", "u1", "--set", "rank.rules.seen=in"), 78, "made with other values of rank.rules"),
    ],
)
def test_what_is_refused(config: Path, arguments: tuple[str, ...], status: int, message: str) -> None:
    outcome = recommend(config, *arguments, given="")
    assert (outcome.exit_code, message in outcome.stderr) == (status, True), outcome.stderr
