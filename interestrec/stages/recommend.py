"""`recommend`: opens the workspace's decision for answers."""

from interestrec.answering.answer_service import AnswerService
from interestrec.answering.recommender import open_recommender
from interestrec.answering.request_lines import ListOptions
from interestrec.corpus.identities import PSEUDONYMS, user_id_mapper
from interestrec.corpus.store import Corpus
from interestrec.io.keys import read_key
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scoring.decision_files import read_context
from interestrec.stages.run import RunContext


def open_answers(
    context: RunContext,
    k: int,
    exclude_kinds: tuple[str, ...] | None,
    conditions: tuple[str, ...],
    why: bool = False,
) -> AnswerService:
    """Open the decision of a workspace for answers at the time of the context's request, None = after the last event.

    Args:
        k: length of lists.
        exclude_kinds, conditions, why: see `ListOptions`.

    Raises:
        InputMissingError: the workspace has no decision.
        ArtifactError: the decision is damaged, of another release, or was made with another pseudonym key.
        ConfigError: the decision was made with other values of `rank`.
    """
    artifact = context.open("decision")
    artifact.require_release()
    settings, decided = context.settings, read_context(artifact.path)
    decided.require_rank(settings.rank, artifact.path)
    key = read_key(settings.preprocess.pseudonym_key, "preprocess.pseudonym_key")
    inputs = ScorerInputs(
        model=context.paths.get("model", settings.workspace / "model"),
        encoder=context.paths.get("encoder", settings.workspace / "encoder"),
        corpus=Corpus(settings.workspace / "corpus", decided.relevant_at),  # read only for models of texts
        workspace=settings.workspace,
        requests=(),
        seed=decided.seed,
        retrieve=settings.rank.retrieve,
    )
    as_of = context.rank_request.as_of
    recommender = open_recommender(artifact.path, settings.rank, inputs, as_of)
    options = ListOptions(recommender.moment if as_of is None else as_of, k, exclude_kinds, conditions, why)
    return AnswerService(
        recommender, options, user_id_mapper(key, {PSEUDONYMS: decided.pseudonyms} if decided.pseudonyms else {})
    )
