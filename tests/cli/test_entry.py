"""The process around a command: streams that are closed, full, cut short or a terminal, and what cannot be read."""

import errno
import json
import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from interestrec.cli.app import app
from interestrec.cli.entry import command_process
from tests.cli.test_app import CONFIG
from tests.corpus.looked_at import write_looked_at
from tests.documents import one_document

pytestmark = pytest.mark.slow


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with a configuration and a committed corpus."""
    from interestrec.workspace.artifacts import Recipe, link, staged_version

    recipe = Recipe("corpus", {}, {"data": {"relevant_at": 0.5}}, seed=1)
    with staged_version(tmp_path / "workspace", recipe) as partial:
        write_looked_at(partial)
    link(tmp_path / "workspace", recipe)
    (tmp_path / "interestrec.yaml").write_text(CONFIG)
    return tmp_path


def shell(script: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A script of bash in which `I` is our command and failures within pipes count."""
    setting = f'set -o pipefail\nI() {{ "{sys.executable}" -m interestrec "$@"; }}\n'
    command = ["bash", "-c", setting + script]
    env = {**os.environ, **environment}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=env)


@pytest.mark.parametrize(
    "command",
    ["config show", "config show --json", "config schema", "describe", "inspect --user u0", "--help", "rank --help"],
)
@pytest.mark.parametrize("reader", ["head -1", "true"])
def test_a_reader_that_goes_away_is_no_error_of_ours(directory: Path, command: str, reader: str) -> None:
    outcome = shell(f"I {command} | {reader}", directory)
    assert outcome.returncode in (0, 141)
    assert outcome.stderr == ""


@pytest.mark.parametrize("command", ["config show", "config show --json", "describe", "--help", "--version"])
@pytest.mark.parametrize(("out", "why"), [(">&-", "Bad file descriptor"), ("> /dev/full", "No space left on device")])
def test_results_that_cannot_be_printed_are_74(directory: Path, command: str, out: str, why: str) -> None:
    outcome = shell(f"I {command} {out}", directory)
    assert outcome.returncode == 74
    assert outcome.stderr.count("\n") == 1
    assert f"standard output: {why}; results cannot be printed" in outcome.stderr


def test_errors_never_take_the_place_of_results(directory: Path) -> None:
    outcome = shell("I describe --config nowhere 2>&-", directory)
    assert (outcome.returncode, outcome.stdout) == (66, "")
    outcome = shell("I describe --config nowhere --json 2> /dev/full", directory)
    assert one_document(outcome.stdout)["exit_status"] == outcome.returncode == 66
    outcome = shell("I rank --nonsense --json >&-", directory)
    assert outcome.returncode == 2


def test_a_closed_standard_input_is_an_empty_one(directory: Path) -> None:
    outcome = shell("I forget --users - <&-", directory)
    assert outcome.returncode == 2
    assert outcome.stderr == "interestrec forget: the list of user IDs is empty; nobody was added\n"


def test_a_filter_ends_when_its_reader_goes_away(directory: Path) -> None:
    (directory / "key").write_bytes(b"k" * 32)
    (directory / "key").chmod(0o600)
    setting = "--set preprocess.pseudonym_key=key"
    outcome = shell(f"yes u1 | head -100000 | I pseudonym {setting} | head -1", directory)
    assert (outcome.returncode, outcome.stderr) == (141, "")
    assert outcome.stdout.count("\n") == 1
    outcome = shell(f"echo u1 | I pseudonym {setting} > /dev/full", directory)
    assert (outcome.returncode, outcome.stderr.count("\n")) == (74, 1)


def test_files_do_not_get_the_numbers_of_closed_streams(directory: Path) -> None:
    outcome = shell("I init shop <&- >&- 2>&-; cat interestrec.yaml | wc -c; I init news --to a.yaml >&-", directory)
    assert "no such" not in outcome.stderr
    assert (directory / "a.yaml").read_text() == (Path(__file__).parents[2] / "configs" / "news.yaml").read_text()


def test_what_the_encoding_lacks_is_written_in_another_way(directory: Path) -> None:
    set_title = "I config show --set 'data.root=é\\u2028'"
    plain = shell(set_title, directory, PYTHONIOENCODING="ascii")
    assert plain.returncode == 0
    assert r"root: é\u2028".encode("ascii", "backslashreplace").decode() in plain.stdout.replace('"', "")
    document = one_document(shell(f"{set_title} --json", directory, PYTHONIOENCODING="ascii").stdout)
    assert document["settings"]["data"]["root"] == "é\\u2028"


def in_a_terminal(command: list[str], cwd: Path, width: int = 120, **environment: str) -> bytes:
    """All that a command writes to a terminal that both of its streams are."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, width))
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
    env = {**kept, "TERM": "xterm", **environment}
    code = [sys.executable, *command]
    process = subprocess.Popen(code, cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs, env=env, close_fds=True)
    os.close(theirs)
    written = b""
    while True:
        try:
            read = os.read(ours, 65536)
        except OSError as error:  # Linux says so when the other end is closed
            assert error.errno == errno.EIO
            break
        if not read:
            break
        written += read
    os.close(ours)
    assert process.wait() == 0, written
    return written


_TABLE = """
from interestrec.cli import console
from interestrec.report.metrics_table import metrics_table
row = {"system": "interestrec", "protocol": "impressions", "slice": "all", "metric": "auc", "value": 0.7,
       "ci_low": 0.6, "ci_high": 0.8, "n": 9, "dropped": 0, "seed_sd": None}
import pyarrow as pa
from interestrec.io import report_schemas
table = pa.Table.from_pylist([row], schema=report_schemas.METRICS)
with console.session("evaluate", False, False) as output:
    output.show({}, metrics_table(table, 100, console._colour()))
    from interestrec.core.progress import log, track
    import time
    log.info("evaluate: begun")
    for _ in track(range(3), "resampling"):
        time.sleep(0.15)
"""


def test_a_terminal_has_colours_unless_they_are_not_wanted(tmp_path: Path) -> None:
    assert b"\x1b[" in in_a_terminal(["-c", _TABLE], tmp_path)
    for wish in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        plain = in_a_terminal(["-c", _TABLE], tmp_path, **wish)
        assert b"interestrec" in plain
        assert b"\x1b[3" not in plain  # nor a colour
        assert b"\x1b[1" not in plain  # nor bold


def test_a_terminal_has_bars_and_plain_lines(tmp_path: Path) -> None:
    written = in_a_terminal(["-c", _TABLE], tmp_path)
    assert b"\r\nevaluate: begun\r\n" in written  # as it was logged, without time and level
    assert b"resampling:  33%" in written
    assert b"resampling" not in in_a_terminal(
        ["-c", _TABLE.replace("False, False)", "False, False, 'json')")], tmp_path
    )


@pytest.mark.parametrize("forced", [{}, {"FORCE_COLOR": "1"}])
def test_off_a_terminal_nothing_steers_one(tmp_path: Path, forced: dict[str, str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"}
    outcome = subprocess.run([sys.executable, "-c", _TABLE], capture_output=True, env={**environment, **forced})
    assert outcome.returncode == 0, outcome.stderr
    assert b"interestrec" in outcome.stdout
    for stream in (outcome.stdout, outcome.stderr):
        assert b"\x1b" not in stream
        assert b"\r" not in stream


def ended(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    """The status that a command line ends with, in this process."""
    monkeypatch.setattr(sys, "argv", ["interestrec", *arguments])
    with pytest.raises(SystemExit) as end, command_process() as process:
        process.status = app(standalone_mode=False)
    return end.value.code


@pytest.mark.parametrize(
    ("arguments", "command", "said"),
    [
        (("rank", "--nonsense"), "rank", "no such option: --nonsense; see `interestrec rank --help`"),
        (("finetune", "--fold", "3"), "finetune", "no such option: --fold (did you mean '--folds'?)"),
        (
            ("preprocess", "--folds", "3"),
            "preprocess",
            "no such option: --folds, which belongs to `interestrec finetune`",
        ),
        (("preprocess", "--folds=3"), "preprocess", "--folds, which belongs to `interestrec finetune`"),
        (("evaluate", "--model", "m"), "evaluate", "belongs to `interestrec rank`, `interestrec encode`"),
        (("config", "show", "--as-of", "now"), "config show", "--as-of, which belongs to `interestrec rank`"),
        (("evaluat",), "", "no such command 'evaluat'. Did you mean 'evaluate'"),
        (("inspect", "--limit", "x"), "inspect", "invalid value for '--limit'"),
        (("init",), "init", "name one template, such as news, or your own files by --from FILE"),
        (("run", "--log", "xml"), "run", "invalid value for '--log'"),
        (("config",), "config", ""),
        ((), "", ""),
    ],
)
def test_a_command_line_that_cannot_be_read(
    arguments: tuple[str, ...],
    command: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ended(monkeypatch, *arguments) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert not told.out
    if said:
        assert told.err.startswith(f"interestrec {command}".strip() + ": ")
        assert told.err.count("\n") == 1
    assert ended(monkeypatch, *arguments, "--json") == 2
    document = one_document(capsys.readouterr().out)
    assert (document["status"], document["exit_status"]) == ("error", 2)
    if arguments and said:
        assert document["command"] == command
        assert said in document["error"]


@pytest.mark.parametrize("asked", [("--log", "json"), ("--log=json",), None])
def test_its_error_is_a_json_object_where_logs_are(
    asked: tuple[str, ...] | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INTERESTREC_LOG", "text" if asked else "json")
    assert ended(monkeypatch, "rank", *(asked or ()), "--nonsense") == 2
    line = json.loads(capsys.readouterr().err)
    assert (line["level"], line["stage"]) == ("ERROR", "rank")
    assert line["message"].startswith("no such option: --nonsense")


_HELP = """
import sys
from typer.main import get_command
from interestrec.cli.app import app

def told(command, path):
    try:
        command.main(["--help"], prog_name=" ".join(path))
    except SystemExit as ended:
        assert not ended.code
    return 1 + sum(told(inner, [*path, name]) for name, inner in getattr(command, "commands", {}).items())

count = told(get_command(app), ["interestrec"])
heavy = "tensorflow keras transformers pandas pyarrow numpy yaml duckdb rich tqdm".split()
print(count > 15, [name for name in heavy if name in sys.modules], file=sys.stderr)
"""


def test_no_command_loads_anything_heavy_to_tell_of_itself() -> None:
    """All in one process, as what one of them loads stays loaded."""
    outcome = subprocess.run([sys.executable, "-c", _HELP], capture_output=True, text=True, check=True)
    assert outcome.stderr == "True []\n"


def test_version_and_usage_errors_load_nothing_heavy() -> None:
    for arguments in (["--version"], ["rank", "--nonsense"]):
        code = (
            f"import sys; from interestrec.cli import app; sys.argv = ['interestrec', *{arguments!r}]\n"
            "try: app.main()\nexcept SystemExit: pass\n"
            "sys.exit(str({'tensorflow', 'keras', 'transformers', 'pandas', 'pyarrow', 'numpy'} & set(sys.modules)))"
        )
        outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert outcome.stderr.splitlines()[-1] == "set()"
