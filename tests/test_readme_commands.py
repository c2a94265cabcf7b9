"""Commands that the documentation shows can be read by the command line; those of the quickstart are the script's."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from interestrec.cli.app import app
from interestrec.pipeline import STAGES

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "data/README.md")]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"^    (.*)$", re.MULTILINE)
INLINE = re.compile(r"`(interestrec [^`\n]+)`")
COMMAND = re.compile(r"(?<![\w./-])(?:\.venv/bin/)?interestrec (?=[a-z-])[^|;&)]*")


def commands(page: Path) -> list[str]:
    """All commands of ours that a page shows, in code blocks and within sentences."""
    text = page.read_text().replace("\\\n", " ")
    blocks = [block for language, block in FENCED.findall(text) if language == "bash"]
    shown = [*(line for block in blocks for line in block.splitlines()), *INDENTED.findall(FENCED.sub("", text))]
    lines = [line.partition(" #")[0] for line in shown]
    found = [match.group().strip() for line in lines for match in COMMAND.finditer(line)]
    inline = INLINE.findall(FENCED.sub("", text))
    return found + [command for command in inline if "…" not in command and "COMMAND" not in command]


SHOWN = sorted({(page.name, command) for page in PAGES for command in commands(page)})


def read(arguments: list[str], command: Any) -> None:
    """Parse arguments as the command line would, without running anything."""
    context = command.make_context("interestrec", list(arguments), resilient_parsing=False)
    while rest := [*context._protected_args, *context.args]:
        name, inner, rest = context.command.resolve_command(context, rest)
        if inner is None:
            raise AssertionError(f"no command {name}")
        context = inner.make_context(name, rest, parent=context)
        if not hasattr(inner, "commands"):
            return


@pytest.mark.parametrize(("page", "command"), SHOWN)
def test_a_shown_command_can_be_read(page: str, command: str) -> None:
    plain = re.sub(r'"\$\{\w+\[@\]\}"', "", re.split(" [<>] ", command)[0])  # a list of options
    words = shlex.split(re.sub(r"\$\w+", "1", plain))[1:]
    if words[-1:] == ["--config"]:  # a sentence on the option itself
        words.append("news.yaml")
    if words and words[0].startswith("--"):
        assert words[0] in {"--help", *(option for parameter in get_command(app).params for option in parameter.opts)}
        return
    try:
        read(words, get_command(app))
    except typer.TyperException as error:
        pytest.fail(f"{page}: {command}: {error.format_message()}")


def test_enough_is_shown_for_that_to_mean_something() -> None:
    assert len(SHOWN) > 25
    assert {"run", "fetch", "evaluate", "config"} <= {command.split()[1] for _, command in SHOWN}


def test_what_cannot_be_read_is_noticed() -> None:
    with pytest.raises(typer.TyperException):
        read(["finetune", "--fold", "3"], get_command(app))


@pytest.mark.parametrize("unit", sorted((ROOT / "scripts" / "systemd").glob("*.service")), ids=lambda unit: unit.stem)
def test_what_a_unit_starts_is_there(unit: Path) -> None:
    (line,) = re.findall(r"^ExecStart=(.+)$", unit.read_text(), re.MULTILINE)
    program, *arguments = line.replace("/opt/news", str(ROOT)).split()
    if Path(program).name == "interestrec":
        read(arguments, get_command(app))
    else:
        assert Path(program).stat().st_mode & 0o100


def test_scripts_that_the_readme_names_are_there_and_run_what_it_says() -> None:
    text = (ROOT / "README.md").read_text()
    for script in set(re.findall(r"\./scripts/(\w+\.sh)", text)):
        assert (ROOT / "scripts" / script).stat().st_mode & 0o100
    shown = [line.split("interestrec ", 1)[1] for line in (ROOT / "scripts" / "quickstart.sh").read_text().splitlines()
             if line.startswith(".venv/bin/interestrec ")]  # fmt: skip
    assert [line.split()[0] for line in shown] == ["fetch", "fetch", *[*STAGES][:4], "recommend", "evaluate"]
    passed_on = (' "$@"', ' "${answered[@]}"')  # the script's own arguments, which recommend takes without --force
    assert all(line.endswith(passed_on) for line in shown[2:])
    for line in shown:
        read(shlex.split(line.split(' "$', 1)[0]), get_command(app))
