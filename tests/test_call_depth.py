"""From the command line to the line that computes scores there are few frames of the package's own."""

import json
import subprocess
import sys
from pathlib import Path

from tests.stages.ranking import log_of_events, workspace

MOST = 11  # of which four, from `main` to the stage's `run`, are the frame's and the rest is the stage's

CONFIG = """
workspace: {root}
data: {{format: recbole, inter: x, item: y, title: [t], relevant_at: 0.5}}
encoders: {{text: {{source: z}}}}
rank: {{systems: [item_knn, popularity], components: [popularity], trials: 1, top_k: 5}}
"""
SCRIPT = """
import inspect, json, sys
from interestrec.cli.app import main
from interestrec.scorers.item_knn import ItemKnn

score = ItemKnn.score_catalogue

def recorded(self, requests):
    frames = inspect.stack()[1:]
    # Comprehensions have no frame of their own from Python 3.12 on.
    stack = [(frame.filename, frame.function) for frame in frames if frame.function not in ("<dictcomp>", "<listcomp>")]
    own = [f"{file.rpartition('/interestrec/')[2]}:{function}" for file, function in stack if "/interestrec/" in file]
    with open("frames.json", "w") as file:
        json.dump([*own[::-1], "scorers/item_knn.py:score_catalogue"], file)
    return score(self, requests)

ItemKnn.score_catalogue = recorded
sys.argv = ["interestrec", "rank", "--config", "small.yaml", "--quiet"]
main()
"""


def test_rank_reaches_the_scoring_line_in_few_frames(tmp_path: Path) -> None:
    workspace(tmp_path / "space", log_of_events())
    (tmp_path / "small.yaml").write_text(CONFIG.format(root=tmp_path / "space"))
    outcome = subprocess.run([sys.executable, "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr
    frames = json.loads((tmp_path / "frames.json").read_text())
    assert frames[:4] == [
        "cli/app.py:main",
        "cli/stage_commands.py:rank",
        "pipeline.py:run_stage",
        "stages/rank.py:run",
    ], frames
    assert len(frames) <= MOST, frames
