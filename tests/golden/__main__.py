"""Write the artifacts of the present schema version."""

import shutil
import tempfile
from pathlib import Path

import numpy as np

from interestrec.corpus.store import Corpus
from interestrec.io import files
from interestrec.io.schemas import SCHEMA_VERSION
from interestrec.scorers.model_opening import open_model
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.stages.evaluate import run
from interestrec.workspace.artifacts import Recipe, open_artifact, staged_version
from tests.scorers.models import write_model
from tests.scoring.asking import requests, split_candidates
from tests.stages.reports import by_hand

KINDS = ("corpus", "model", "rankings", "report")
EXPECTED = "expected.json"  # of the model: its logits of `known`
USERS, ITEMS = 3, 4  # of the corpus


def known(model: Path, corpus: Path) -> tuple[np.ndarray, np.ndarray]:
    """Logits of order and of strength: all items for a user with a history, a user without, and one at another time."""
    inputs = ScorerInputs(model, model, Corpus(corpus, 0.5), model, (), seed=1)
    asked = requests([0, 1, 3], [], [2], users=[0, 2, 1], days=[1, 2, 3, 4], at=[9, 9, None])
    opened, lists = open_model(model, inputs), split_candidates([list(range(ITEMS))] * 3)
    return opened.candidate_order(asked, *lists), opened.candidate_strength(asked, *lists)


def main() -> None:
    """Into a directory named after the version, which must not be there yet."""
    to = Path(__file__).parent / SCHEMA_VERSION
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Path(scratch)
        run(by_hand(workspace))
        _write_model(workspace)
        to.mkdir()
        for kind in KINDS:
            shutil.copytree((workspace / kind).resolve(), to / kind, ignore=shutil.ignore_patterns("timing.jsonl"))


def _write_model(workspace: Path) -> None:
    inputs = {kind: open_artifact(workspace / kind, kind).digest for kind in ("corpus", "encoder")}
    rng = np.random.default_rng(1)
    with staged_version(workspace, Recipe("model", inputs, {}, 1)) as directory:
        vectors = rng.normal(size=(ITEMS, 6)).astype(np.float32)
        write_model(directory, vectors, rng.integers(-1, 2, (ITEMS, 2)).astype(np.int32), USERS)
        order, strength = known(directory, workspace / "corpus")
        expected = {"order": order.tolist(), "strength": strength.tolist()}
        files.write_json(directory / EXPECTED, expected)


if __name__ == "__main__":
    main()
