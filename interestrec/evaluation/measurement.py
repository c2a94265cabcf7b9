"""What an artifact `rankings` is evaluated against, and its metrics in cells."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from interestrec.corpus.store import Corpus
from interestrec.evaluation import beyond_accuracy, metric_sums, population, protocols
from interestrec.evaluation.evaluate_settings import EvaluateSettings
from interestrec.evaluation.pair_parts import find_parts
from interestrec.evaluation.population import PastEvents
from interestrec.evaluation.protocols import EvaluationContext, ProtocolResult
from interestrec.evaluation.ranking_blocks import IdNumbers
from interestrec.evaluation.slices import all_slices
from interestrec.io import artifact_files, files, schemas
from interestrec.io.schemas import OURS
from interestrec.scorers import queries


def system_order(systems: Iterable[str]) -> list[str]:
    """Return the names of systems as reports list them: `interestrec` first, the others in alphabetical order."""
    return sorted(systems, key=lambda name: (name != OURS, name))


def evaluation_context(corpus: Corpus, rankings: Path, settings: EvaluateSettings) -> EvaluationContext:
    """Load what lists are evaluated against, for the users with a test impression in the order of the corpus."""
    requests = queries.catalogue_requests(corpus, queries.TEST)
    ids = IdNumbers(
        user=corpus.users["user_id"].take(pa.array(requests.user)).combine_chunks(),
        item=corpus.items["item_id"].combine_chunks(),
    )
    truth = protocols.truth_by_user(files.read_parquet(rankings / artifact_files.TRUTH, schemas.TRUTH), ids)
    population_facts = population.describe_population(
        corpus,
        requests.user,
        PastEvents(requests.offsets, requests.item),
        truth.item[truth.relevant],
        settings.item_slices,
    )
    pairs = find_parts(corpus, requests, truth)
    slices = [*all_slices(population_facts), *pairs.slices()]
    return EvaluationContext(population_facts, slices, truth, pairs, ids, graded=settings.gain == "graded")


def measure_lists(
    rankings: Path,
    systems: Sequence[str],
    metrics: Sequence[str],
    items: beyond_accuracy.ItemStatistics,
    evaluation: EvaluationContext,
) -> tuple[ProtocolResult, Mapping[str, beyond_accuracy.TopLists]]:
    """Compute the metrics of one artifact `rankings`; also return the top lists."""
    ranking_metrics, intensity_metrics = metric_sums.split_metric_names(metrics)
    measured = ProtocolResult()
    protocols.add_impression_metrics(
        measured, rankings / artifact_files.IMPRESSIONS, systems, ranking_metrics, intensity_metrics, evaluation
    )
    top_lists = protocols.add_catalogue_metrics(
        measured, rankings / artifact_files.CATALOGUE, systems, ranking_metrics, items, evaluation
    )
    if (rankings / artifact_files.COLD_CATALOGUE).exists():
        protocols.add_cold_catalogue_metrics(
            measured, rankings / artifact_files.COLD_CATALOGUE, systems, ranking_metrics, evaluation
        )
    return measured, top_lists
