"""Rankings small enough to be judged by hand, and single figures of a report."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from interestrec.io import files, schemas
from interestrec.scoring.blend_description import describe_blend
from interestrec.scoring.fit_blend import BlendFit
from interestrec.scoring.segments import ItemWeights, SegmentBlend, SegmentWeights
from interestrec.stages.run import RunContext
from interestrec.workspace.artifacts import Recipe, open_artifact, staged_version
from tests.scoring.corpora import Event, write_event_log
from tests.stages.ranking import log_of_events, workspace, write_features

COMPONENT = "popularity"  # the only one of our system


def value(path: Path, system: str, protocol: str, metric: str, part: str = "all") -> dict[str, float]:
    key = {"system": system, "protocol": protocol, "metric": metric, "slice": part}
    rows = pq.read_table(path / "metrics.parquet").to_pylist()
    (found,) = [row for row in rows if key.items() <= row.items()]
    return found


def by_hand(root: Path, seed: int = 1, first: str = "i1", predicted: float = 0.7) -> RunContext:
    """Two systems over three test users; u0 and u1 have a past, u2 is cold.

    Args:
        seed: of the rankings.
        first: what u0 is shown first, and liked if it is i1.
        predicted: our intensity of what u2 liked, in truth 1.
    """
    log = [Event(0, 0, 1), Event(1, 1, 1), Event(0, 1, 9, "test"), Event(1, 2, 9, "test"), Event(2, 3, 9, "test")]
    context = workspace(root, log_of_events())
    with staged_version(root, Recipe("corpus", {"by": "hand"}, {}, 1)) as directory:
        write_event_log(directory, 3, 4, log)
        write_features(directory, 4)
    corpus = open_artifact(root / "corpus", "corpus")
    with staged_version(root, Recipe("rankings", {"corpus": corpus.digest}, {}, seed)) as directory:
        listed = [
            ("interestrec", "u0", first, 1, 2.0),
            ("interestrec", "u0", "i2", 2, 1.0),
            ("interestrec", "u1", "i0", 1, 1.0),
            ("interestrec", "u1", "i2", 2, 1.0),
            ("random", "u2", "i3", 1, 1.0),
        ]
        names = ("system", "user_id", "item_id", "rank", "score")
        table = pa.table(dict(zip(names, (list(column) for column in zip(*listed, strict=True)), strict=True)))
        table = table.append_column("predicted", pa.array([0.5] * len(listed), pa.float32()))
        table = table.append_column(COMPONENT, pa.nulls(len(listed), pa.float32()))
        schema = schemas.with_components(schemas.RANKED_CATALOGUE, [COMPONENT])
        files.write_parquet(directory / "catalogue.parquet", table, schema)
        truth = pa.table({"user_id": ["u0", "u1", "u2"], "item_id": ["i1", "i2", "i3"], "label": [1.0] * 3})
        truth = truth.append_column("relevant", pa.array([True] * 3))
        files.write_parquet(directory / "truth.parquet", truth, schemas.TRUTH)
        shown = [(s, f"m{u}", f"u{u}", f"i{u + 1}") for s in ("interestrec", "random") for u in range(3)]
        columns = dict(zip(("system", "impression_id", "user_id", "item_id"), zip(*shown, strict=True), strict=True))
        impressions = pa.table(
            {
                **{name: list(column) for name, column in columns.items()},
                "label": [1.0] * 6,
                "relevant": [True] * 6,
                "score": [0.0] * 6,
                "rank": [1] * 6,
                "predicted": [1.0, 1.0, predicted, 0.5, 0.5, 0.5],
                COMPONENT: pa.nulls(6, pa.float32()),
            }
        )
        schema = schemas.with_components(schemas.RANKED_IMPRESSIONS, [COMPONENT])
        files.write_parquet(directory / "impressions.parquet", impressions, schema)
        whole = SegmentWeights(ItemWeights(np.ones(1)))
        blend = BlendFit(SegmentBlend(whole, whole), "ndcg@10", lists=3)
        ours = dict.fromkeys(("impressions", "catalogue"), describe_blend(blend, [COMPONENT], [COMPONENT]))
        systems = {"random": {}, "interestrec": {"components": {COMPONENT: COMPONENT}, **ours}}
        described = {"systems": systems, "settings": {"top_k": 10}, "counts": {}}
        files.write_json(directory / "systems.json", described)
    return context
