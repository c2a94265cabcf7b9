"""Cross-validation: a corpus seen as if one part of its train split were still to come."""

import numpy as np

from interestrec.core.errors import DataError
from interestrec.corpus.store import NO_TIME, Corpus
from interestrec.encoding.hidden_cache import as_trained
from interestrec.encoding.text_vectors import encode
from interestrec.io.schemas import TEST, TRAIN, VALID
from interestrec.metrics.intensity_errors import INTENSITY_ERRORS
from interestrec.training import examples as made
from interestrec.training.examples import Examples, usable
from interestrec.training.finetuning import Trained
from interestrec.training.item_vectors import FrozenTextVectors
from interestrec.training.negative_sampler import NegativeSampler
from interestrec.training.preparation import TrainingInputs
from interestrec.training.user_text_examples import codes_beyond, with_documents
from interestrec.training.validation import ValidationScores, draw

HELD_OUT = TEST
_UNSEEN = -1  # of no split: nothing looks at it


def by_users(corpus: Corpus, count: int, fold: int, seed: int) -> Corpus:
    """The corpus with the train events and impressions of one of `count` random parts of the train users held out.

    Raises:
        DataError: there are fewer train users than folds.
    """
    users = np.unique(corpus.impressions.user[corpus.impressions.split == TRAIN])
    if len(users) < count:
        raise DataError(f"{corpus.path}: {len(users)} users in train are too few for {count} folds; ask for fewer")
    part = np.full(len(corpus.timelines.offsets) - 1, -1)
    part[users] = np.random.default_rng([seed, 5]).permutation(len(users)) % count
    return _held_out(
        corpus,
        events=np.where(part[corpus.timelines.user] == fold, _UNSEEN, TRAIN),
        impressions=np.where(part[corpus.impressions.user] == fold, HELD_OUT, TRAIN),
    )


def by_time(corpus: Corpus, count: int, fold: int, seed: int) -> Corpus:
    """The corpus with one of `count` blocks of time held out, learned from all that came before it and nothing after.

    Train's impressions are cut into `count` + 1 blocks of equal size; the first is never held out.

    Raises:
        DataError: the log has no times, or too few different ones.
    """
    time = corpus.impressions.time[corpus.impressions.split == TRAIN]
    if not len(time) or (time == NO_TIME).any():
        raise DataError(f"{corpus.path}: folds by time need a time of every train impression; take folds by users")
    edges = np.quantile(time, np.arange(1, count + 2) / (count + 1), method="higher")
    begin, end = edges[fold], edges[fold + 1]
    if (np.diff(edges) <= 0).any():
        raise DataError(f"{corpus.path}: too few different times for {count} folds; ask for fewer")

    def split(times: np.ndarray, inside: int) -> np.ndarray:
        last = times <= end if fold == count - 1 else times < end
        return np.where(times < begin, TRAIN, np.where(last, inside, _UNSEEN))

    return _held_out(corpus, split(corpus.timelines.time, _UNSEEN), split(corpus.impressions.time, HELD_OUT))


FOLDS = {"users": by_users, "time": by_time}


def _held_out(corpus: Corpus, events: np.ndarray, impressions: np.ndarray) -> Corpus:
    """Train's events and impressions with the given splits; valid stays, the test split is not seen."""
    old_events, old_impressions = corpus.timelines.split, corpus.impressions.split
    kept = np.where(old_events == VALID, VALID, _UNSEEN)
    shown = np.where(old_impressions == VALID, VALID, _UNSEEN)
    return corpus.with_splits(
        np.where(old_events == TRAIN, events, kept).astype(np.int8),
        np.where(old_impressions == TRAIN, impressions, shown).astype(np.int8),
    )


def measure(trained: Trained, inputs: TrainingInputs) -> dict[str, float]:
    """Of what a fold holds out: `auc` as in validation, `rmse` and `logloss` of the calibrated intensity, and `n`.

    Raises:
        DataError: nothing that is held out has an intensity above 0.
    """
    corpus = inputs.corpus
    examples = made.impression_examples(corpus.impressions, usable(corpus, HELD_OUT))
    if not (examples.label > 0).any():
        raise DataError(f"{corpus.path}: a fold holds out no event with an intensity above 0; ask for fewer folds")
    vectors, codes = trained.text_vectors, trained.codes
    if trained.model.config.user_text is not None:
        examples, beyond = _read(examples, trained, inputs, trained.model.config.user_text.tokens)
        vectors = np.concatenate([vectors, beyond])
        codes = codes_beyond(codes, len(vectors))
    scores = ValidationScores(trained.model, FrozenTextVectors(vectors), codes)
    settings, seed = inputs.settings, inputs.seed
    sampler = NegativeSampler.of(made.popularity(corpus), settings.negatives.count)
    auc = scores.mean_auc(
        draw(made.contrasted(examples), corpus.timelines, sampler, settings.max_history, seed), corpus.relevant_from
    )
    logits, labels = scores.known(draw(examples, corpus.timelines, sampler, settings.max_history, seed))
    predicted = trained.calibration(logits)
    errors = {}
    for name in ("rmse", "logloss"):
        metric = INTENSITY_ERRORS[name]
        errors[name] = float(metric.transform(metric.loss(labels, predicted).mean(keepdims=True)))
    return {"auc": auc, **errors, "n": float(len(examples))}


def _read(examples: Examples, trained: Trained, inputs: TrainingInputs, longest: int) -> tuple[Examples, np.ndarray]:
    """The examples with documents, and vectors of these, float32 [documents, width]."""
    settings, timelines = inputs.settings, inputs.corpus.timelines
    parts = [(examples, np.arange(len(examples)))]
    texts, (examples,) = with_documents(inputs.item_inputs, parts, timelines, settings.max_history, longest)
    beyond = texts.select(np.arange(len(inputs.item_inputs), len(texts)))
    return examples, encode(inputs.encoder, beyond, forward=as_trained(inputs.encoder, settings.trainable_layers))
