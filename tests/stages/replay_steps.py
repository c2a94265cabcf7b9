"""Steps of a replay in the process of the test, which spares their start, and kills between them."""

import os
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, ClassVar

from interestrec.cli.app import app
from interestrec.core.errors import StepError
from interestrec.learning.step_process import StepCost


class Killed(BaseException):
    """What a test kills a replay with; nothing catches it."""


class StepsHere:
    """Runs the commands in this process, which spares their start; ends at the n-th if a test says so."""

    before: ClassVar[set[int]] = set()  # numbers of the commands, from 1, before which the replay is killed
    after: ClassVar[set[int]] = set()
    commands: ClassVar[list[Sequence[str]]] = []
    watch: ClassVar[Any] = None  # called after each command

    @classmethod
    def reset(cls) -> None:
        """Begin again without kills."""
        cls.before, cls.after, cls.commands, cls.watch = set(), set(), [], None

    def run(self, commands: Sequence[Sequence[str]], log: Path, output: Path | None = None) -> StepCost:
        for command in commands:
            StepsHere.commands.append(command)
            count = len(StepsHere.commands)
            if count in StepsHere.before:
                raise Killed
            with (output or Path(os.devnull)).open("w") as target, redirect_stdout(target):
                try:
                    app(list(command), standalone_mode=False)
                except SystemExit as ended:
                    if ended.code:
                        raise StepError(f"{command} ended with {ended.code}") from None
            if StepsHere.watch is not None:
                StepsHere.watch(command)
            if count in StepsHere.after:
                raise Killed
        return StepCost(1.0, 1 << 20)

    def end(self) -> None:
        """Nothing runs beside the caller."""
