"""`explain`: why an item has its place in the list of a user."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from interestrec.answering.answer_service import AnswerService
from interestrec.answering.asked import Asked
from interestrec.answering.explanation import explain, explanation_values
from interestrec.answering.word_effects import WordEffects, word_effects
from interestrec.core.errors import ConfigError, DataError
from interestrec.corpus.store import Corpus
from interestrec.stages.run import RunContext, item_encoders

if TYPE_CHECKING:
    from interestrec.scorers.intensity import Intensity


def run(context: RunContext, service: AnswerService, user: str, item: str, with_words: bool) -> dict[str, Any]:
    """Return the explanation as JSON values, see `explanation_values`.

    Args:
        service: of the workspace's decision, for lists of the wanted length.
        user, item: ids of the command line.
        with_words: whether to explain the words of the item's text, which needs the encoder and the model.

    Raises:
        DataError: the decision does not know the user or the item; with words, the item came by an update.
        ArtifactError: with words, an artifact is damaged or the decision was made from another one.
        ConfigError: with words, the model or the tokenizer does not tell words apart.
    """
    rows = np.array([service.reader.user(user)], np.int64)
    asked = service.reader.asked(service.options, rows, None)
    row = service.recommender.find_item(item)
    words = _words(context, service, asked, row) if with_words else None
    explained = explain(service.recommender, asked, row, words)
    return {"user_id": user, **explanation_values(service.recommender, asked, explained)}


def _words(context: RunContext, service: AnswerService, asked: Asked, item: int) -> WordEffects:
    # TensorFlow is imported here, because the other parts of an explanation do not need it.
    from interestrec.scorers.model_opening import member_paths
    from interestrec.scorers.word_logits import text_network
    from interestrec.text.tokenizer import load_tokenizer
    from interestrec.training import device

    settings = context.settings
    decision, corpus_artifact, encoder, model = map(context.open, ("decision", "corpus", "encoder", "model"))
    for artifact in (corpus_artifact, encoder, model):
        decision.require_input(artifact)
    scorer = service.recommender.ensemble.scorers.get("intensity")
    if scorer is None:
        raise ConfigError("rank.components has no intensity, by whose model words are explained")
    corpus = Corpus(corpus_artifact.path, settings.data.relevant_at)
    if item >= corpus.items.num_rows:
        raise DataError("the item came by an update, which keeps no words; they are explained after the next run")
    device.prepare(settings.runtime.device, settings.runtime.threads, settings.seed)
    encoders = replace(item_encoders(settings, encoder.path), precision="float32")
    if encoders.text is None:
        raise ConfigError("no encoder of texts under encoders, so there are no words to explain")
    networks = [text_network(member, encoders.load_text(encoders.text)) for member in member_paths(model.path)]
    texts = encoders.text_inputs(encoders.text, networks[0].encoder, corpus)
    models = cast("Intensity", scorer).models  # with the items and users of updates
    return word_effects(models, networks, load_tokenizer(encoder.path), texts, asked.requests, item)
