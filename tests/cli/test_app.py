"""The command line: exit statuses, JSON, start-up, templates."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents import one_document

pytestmark = pytest.mark.slow

CONFIG = """
version: 1
workspace: workspace
data:
  format: events
  relevant_at: 0.5
  events: {files: [clicks.csv], columns: {user: user, item: item, time: time}}
  items: {files: [items.csv], columns: {item: item, title: [title]}}
encoders: {text: {source: encoder}}
"""


def interestrec(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "interestrec", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_help_names_every_command(tmp_path: Path) -> None:
    text = interestrec("--help", cwd=tmp_path).stdout
    for (
        name
    ) in "preprocess pretrain-adapt finetune rank evaluate run encode describe inspect init fetch config".split():
        assert f"  {name} " in text
    for name in "preprocess pretrain-adapt finetune rank evaluate run encode describe inspect init fetch".split():
        assert "Example" in interestrec(name, "--help", cwd=tmp_path).stdout


def test_the_list_of_commands_is_that_of_the_whole_application(tmp_path: Path) -> None:
    """It is made without their options, which nobody asked for."""
    script = "from interestrec.cli.app import app; app(['--help'], prog_name='interestrec')"
    whole = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    listed = interestrec("--help", cwd=tmp_path).stdout.splitlines()
    assert listed[1:] == whole.splitlines()[1:]  # the first line has the name of the program


def test_version(tmp_path: Path) -> None:
    from interestrec import __version__

    assert interestrec("--version", cwd=tmp_path).stdout == f"interestrec {__version__}\n"


def test_no_configuration_says_how_to_get_one(tmp_path: Path) -> None:
    outcome = interestrec("run", cwd=tmp_path)
    assert outcome.returncode == 66
    assert "interestrec init news" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_configuration_error_has_its_status_and_position(tmp_path: Path) -> None:
    (tmp_path / "interestrec.yaml").write_text(CONFIG + "finetune:\n  epoch: 3\n")
    outcome = interestrec("finetune", "--json", cwd=tmp_path)
    assert outcome.returncode == 78
    assert "interestrec.yaml:11:3: unknown key 'finetune.epoch' (did you mean 'epochs'?)" in outcome.stderr
    document = one_document(outcome.stdout)
    assert document["status"] == "error"
    assert document["exit_status"] == 78
    assert "finetune.epoch" in document["error"]


def test_missing_data_file_is_named(tmp_path: Path, tiny_encoder: Path) -> None:
    (tmp_path / "interestrec.yaml").write_text(CONFIG.replace("source: encoder", f"source: {tiny_encoder}"))
    outcome = interestrec("preprocess", cwd=tmp_path)
    assert outcome.returncode == 66
    assert "clicks.csv" in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert not (tmp_path / "workspace" / "corpus").exists()


def test_missing_artifact_names_the_stage_to_run(tmp_path: Path) -> None:
    (tmp_path / "interestrec.yaml").write_text(CONFIG)
    outcome = interestrec("finetune", cwd=tmp_path)
    assert outcome.returncode == 66
    assert "run `interestrec preprocess` first" in outcome.stderr


def test_unknown_option_is_a_usage_error(tmp_path: Path) -> None:
    assert interestrec("run", "--confg", "x.yaml", cwd=tmp_path).returncode == 2


def test_config_show_tells_origins_and_can_be_used_again(tmp_path: Path) -> None:
    (tmp_path / "interestrec.yaml").write_text(CONFIG)
    given = ("--set", "finetune.learning_rate=2e-5", "--workspace", "elsewhere")
    shown = interestrec("config", "show", *given, cwd=tmp_path)
    assert shown.returncode == 0
    lines = shown.stdout.splitlines()
    assert lines[0].startswith("# hash: ")
    assert "workspace: elsewhere  # --workspace" in lines
    assert "  relevant_at: 0.5  # interestrec.yaml:6:3" in lines
    assert "    - clicks.csv  # interestrec.yaml:7:20" in lines
    assert "  learning_rate: 2.0e-05  # --set finetune.learning_rate=2e-5" in lines
    assert "seed: 42  # default" in lines
    (tmp_path / "again.yaml").write_text(shown.stdout)
    again = interestrec("config", "show", "--config", "again", cwd=tmp_path).stdout
    assert [line.partition("  # ")[0] for line in again.splitlines()] == [line.partition("  # ")[0] for line in lines]
    document = one_document(interestrec("config", "show", *given, "--json", cwd=tmp_path).stdout)
    assert f"# hash: {document['hash']}" == lines[0]
    assert document["settings"]["finetune"]["learning_rate"] == 2e-5
    assert document["origins"]["finetune"]["learning_rate"] == "--set finetune.learning_rate=2e-5"
    assert document["origins"]["finetune"]["hidden"] == ["default"]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A committed corpus of 3 users and 4 items, built with relevant_at 0.5."""
    from interestrec.workspace.artifacts import Recipe, staged_version
    from tests.corpus.looked_at import write_looked_at

    recipe = Recipe("corpus", {}, {"data": {"relevant_at": 0.5}}, seed=1)
    with staged_version(tmp_path / "workspace", recipe) as partial:
        write_looked_at(partial)
    return tmp_path / "workspace" / "corpus"


def test_describe_needs_no_configuration_where_a_corpus_is_named(tmp_path: Path, corpus: Path) -> None:
    shown = interestrec("describe", "--corpus", str(corpus), cwd=tmp_path)
    assert shown.returncode == 0
    lines = shown.stdout.splitlines()
    assert "  relevant (at or above 0.5): 62.5 %" in lines
    assert lines[-3:] == [
        "User attributes",
        "  gender (0 unknown): F (2), M [31m (1)",  # nothing of a log steers the terminal
        "  age (1 unknown): 7.5 to 31, median 19.25",
    ]
    document = one_document(interestrec("describe", "--corpus", str(corpus), "--json", cwd=tmp_path).stdout)
    assert (document["command"], document["status"]) == ("describe", "ok")
    assert document["events"] == {"train": 4, "valid": 2, "test": 2}


def test_describe_takes_the_corpus_and_relevance_of_a_configuration(tmp_path: Path, corpus: Path) -> None:
    (tmp_path / "interestrec.yaml").write_text(CONFIG)
    shown = interestrec("describe", "--set", "data.relevant_at=0.9", "--json", cwd=tmp_path)
    assert one_document(shown.stdout)["intensity"]["relevant_share"] == 0.25


def test_describe_without_a_corpus_names_the_stage_to_run(tmp_path: Path) -> None:
    (tmp_path / "interestrec.yaml").write_text(CONFIG)
    outcome = interestrec("describe", cwd=tmp_path)
    assert outcome.returncode == 66
    assert "run `interestrec preprocess` first" in outcome.stderr


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("--user", "u0"), "Latest 5 of 5 events"),
        (("--item", "i0"), "    u0               1       2"),
        (("--impression", "m0"), "impression m0, test, user u0, time 1970-01-09T00:00:00Z"),
    ],
)
def test_inspect(tmp_path: Path, corpus: Path, asked: tuple[str, str], told: str) -> None:
    shown = interestrec("inspect", *asked, "--corpus", str(corpus), cwd=tmp_path)
    assert told in shown.stdout.splitlines()
    assert not shown.stderr
    document = one_document(interestrec("inspect", *asked, "--corpus", str(corpus), "--json", cwd=tmp_path).stdout)
    kind = asked[0].removeprefix("--")
    assert document["command"] == "inspect"
    assert document[kind][f"{kind}_id"] == asked[1]


def test_inspect_cuts_lists_to_the_limit(tmp_path: Path, corpus: Path) -> None:
    shown = interestrec("inspect", "--user", "u0", "--limit", "2", "--corpus", str(corpus), "--json", cwd=tmp_path)
    assert [row["item_id"] for row in one_document(shown.stdout)["user"]["latest"]] == ["i3", "i2"]


@pytest.mark.parametrize("asked", [(), ("--user", "u0", "--item", "i0"), ("--user", "u0", "--limit", "0")])
def test_inspect_takes_exactly_one_id(tmp_path: Path, corpus: Path, asked: tuple[str, ...]) -> None:
    outcome = interestrec("inspect", *asked, "--corpus", str(corpus), cwd=tmp_path)
    assert outcome.returncode == 2
    assert not outcome.stdout
    assert "Traceback" not in outcome.stderr


def test_inspect_of_an_unknown_id_names_near_ones(tmp_path: Path, corpus: Path) -> None:
    outcome = interestrec("inspect", "--user", "u9", "--corpus", str(corpus), "--json", cwd=tmp_path)
    assert outcome.returncode == 65
    assert "there is no user 'u9'; similar ids: u0, u1, u2" in outcome.stderr
    assert one_document(outcome.stdout)["exit_status"] == 65


@pytest.mark.parametrize("asked", [("describe",), ("inspect", "--item", "i0")])
def test_looking_at_a_corpus_loads_nothing_heavy(tmp_path: Path, corpus: Path, asked: tuple[str, ...]) -> None:
    command = [*asked, "--corpus", str(corpus)]
    code = (
        "import sys; from interestrec.cli.app import app\n"
        f"app({command!r}, standalone_mode=False)\n"
        "sys.exit(str({'tensorflow', 'keras', 'transformers', 'tokenizers', 'scipy'} & set(sys.modules)))"
    )
    outcome = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert outcome.stderr == "set()\n"


def test_config_schema_takes_what_ships_and_refuses_a_misspelt_key(tmp_path: Path) -> None:
    from jsonschema import Draft202012Validator

    from interestrec.config.yaml_positions import read_yaml

    schema = json.loads(interestrec("config", "schema", cwd=tmp_path).stdout)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert schema["title"]
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    shipped = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
    assert shipped
    for path in shipped:
        document = read_yaml(path.read_text(), "{}:{}".format)
        assert document is not None
        settings = document.values
        assert list(validator.iter_errors(settings)) == [], path
        assert not validator.is_valid({**settings, "finetun": {}})
        assert not validator.is_valid({**settings, "finetune": {"epoch": 3}})
        assert not validator.is_valid({**settings, "data": {**settings["data"], "relevant": 0.5}})


def test_config_schema_in_the_usual_envelope(tmp_path: Path) -> None:
    plain = json.loads(interestrec("config", "schema", cwd=tmp_path).stdout)
    document = one_document(interestrec("config", "schema", "--json", cwd=tmp_path).stdout)
    assert document == {"command": "config schema", "status": "ok", "schema": plain}


@pytest.mark.parametrize("template", ["news", "shop", "video", "quickstart"])
def test_init_writes_a_configuration_that_loads(tmp_path: Path, template: str) -> None:
    assert interestrec("init", template, cwd=tmp_path).returncode == 0
    assert interestrec("config", "show", cwd=tmp_path).returncode == 0
    again = interestrec("init", template, cwd=tmp_path)
    assert again.returncode == 73
    assert "interestrec.yaml" in again.stderr


def test_init_of_an_unknown_template_lists_them(tmp_path: Path) -> None:
    outcome = interestrec("init", "newz", cwd=tmp_path)
    assert outcome.returncode == 78
    assert "did you mean 'news'?" in outcome.stderr


def test_a_reader_that_goes_away_is_no_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "interestrec.yaml").write_text(CONFIG)
    command = f"{sys.executable} -m interestrec config show | true; exit ${{PIPESTATUS[0]}}"
    outcome = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert outcome.returncode in (0, 141)
    assert "Traceback" not in outcome.stderr


def test_check_says_what_fails_and_ends_with_its_status(tmp_path: Path) -> None:
    (tmp_path / "interestrec.yaml").write_text(CONFIG)
    outcome = interestrec("check", cwd=tmp_path)
    assert outcome.returncode == 66
    assert "ok     workspace:" in outcome.stdout
    assert "fails  files:" in outcome.stdout
    document = one_document(interestrec("check", "--json", cwd=tmp_path).stdout)
    assert (document["command"], document["status"], document["exit_status"]) == ("check", "error", 66)
