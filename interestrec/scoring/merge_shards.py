"""Merges the lists of shards that workers made: the files equal those that one process writes, byte for byte."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from interestrec.io import files, schemas
from interestrec.io.artifact_files import CATALOGUE, COLD_CATALOGUE, IMPRESSIONS, SYSTEMS, TRAINING_LOG, TRUTH
from interestrec.scoring.ranking_tables import merge_blocks

# Tables in blocks of systems by the name of their file.
_BLOCKS = {
    CATALOGUE: schemas.RANKED_CATALOGUE,
    COLD_CATALOGUE: schemas.RANKED_CATALOGUE,
    IMPRESSIONS: schemas.RANKED_IMPRESSIONS,
}
_SUMMED = ("catalogue_users", "catalogue_users_without_history", "truth_pairs", "truth_pairs_seen_before")


def merge_shards(shards: Sequence[Path], components: list[str], directory: Path) -> None:
    """Write the files of all requests into a directory.

    Args:
        shards: directories of the shards in their order, whose files have kept their blocks.
        components: names of the columns after those of the schemas.
    """
    first = shards[0]
    for name, schema in _BLOCKS.items():
        if (first / name).exists():
            paths = [shard / name for shard in shards]
            merge_blocks(paths, directory / name, schemas.with_components(schema, components))
    if (first / TRUTH).exists():
        truth = pa.concat_tables([files.read_parquet(shard / TRUTH, schemas.TRUTH) for shard in shards])
        files.write_parquet(directory / TRUTH, truth.combine_chunks(), schemas.TRUTH)
    if (first / TRAINING_LOG).exists():
        files.write_parquet(directory / TRAINING_LOG, files.read_parquet(first / TRAINING_LOG), schemas.TRAINING_LOG)
    described = [files.read_json(shard / SYSTEMS) for shard in shards]
    counts = dict(described[0]["counts"])
    counts |= {name: sum(one["counts"][name] for one in described) for name in _SUMMED if name in counts}
    files.write_json(directory / SYSTEMS, {**described[0], "counts": counts})
