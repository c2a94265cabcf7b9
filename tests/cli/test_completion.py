"""Completion: the scripts load in their shells and complete what they should."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An `interestrec` on the path, which completion scripts call by its name."""
    command = tmp_path / "bin" / "interestrec"
    command.parent.mkdir()
    program = "import sys; sys.argv[0] = 'interestrec'; from interestrec.cli.app import main; main()"
    command.write_text(f"#!/bin/sh\nPYTHONPATH='{ROOT}' exec '{sys.executable}' -c \"{program}\" \"$@\"\n")
    command.chmod(0o755)
    path = f"{command.parent}{os.pathsep}{os.environ['PATH']}"
    # Typer asks the process tree for the shell unless it is told not to.
    return {**os.environ, "PATH": path, "HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}


def script(shell: str, environment: dict[str, str]) -> str:
    """The completion script for a shell."""
    command = ["interestrec", "--show-completion", shell]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("interestrec fine", {"finetune"}),
        ("interestrec config s", {"show", "schema"}),
        ("interestrec rank --as", {"--as-of"}),
        ("interestrec run --log ", {"text", "json"}),
    ],
)
def test_bash_completes(line: str, offered: set[str], environment: dict[str, str]) -> None:
    words = line.split(" ")
    asking = (
        f"set -eu\n{script('bash', environment)}\n"
        "complete -p interestrec > /dev/null\n"
        f"COMP_WORDS=({' '.join(word or repr('') for word in words)}); COMP_CWORD={len(words) - 1}\n"
        'IFS=" "; _interestrec_completion interestrec; printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    assert subprocess.run(["bash", "-n"], input=script("bash", environment), text=True, check=False).returncode == 0
    found = subprocess.run(["bash", "-c", asking], env=environment, capture_output=True, text=True, check=True)
    assert set(found.stdout.split()) == offered


def test_zsh_completes(environment: dict[str, str]) -> None:
    made = script("zsh", environment)
    assert made.startswith("#compdef interestrec\n")
    assert "compdef _interestrec_completion interestrec" in made
    asked = {"_INTERESTREC_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "interestrec fine"}
    offered = subprocess.run(["interestrec"], env={**environment, **asked}, capture_output=True, text=True, check=True)
    assert '"finetune"' in offered.stdout
    zsh = shutil.which("zsh")
    if zsh is None:
        pytest.skip("no zsh on this machine: the script was made, not loaded")
    loading = f"autoload -Uz compinit && compinit -u && {made}\nprint $+functions[_interestrec_completion]"
    loaded = subprocess.run([zsh, "-fc", loading], env=environment, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "1"
