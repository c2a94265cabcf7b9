"""Write the artifacts of the present schema version."""

import shutil
import tempfile
from pathlib import Path

from interestrec.io.schemas import SCHEMA_VERSION
from interestrec.stages.evaluate import run
from tests.stages.reports import by_hand

KINDS = ("corpus", "rankings", "report")


def main() -> None:
    """Into a directory named after the version, which must not be there yet."""
    to = Path(__file__).parent / SCHEMA_VERSION
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Path(scratch)
        run(by_hand(workspace))
        to.mkdir()
        for kind in KINDS:
            shutil.copytree((workspace / kind).resolve(), to / kind, ignore=shutil.ignore_patterns("timing.jsonl"))


if __name__ == "__main__":
    main()
