"""Cross-validation: views of a corpus that hold out one part of its train split."""

import numpy as np

from interestrec.core.errors import DataError
from interestrec.corpus.moments import Moments
from interestrec.corpus.store import NO_TIME, Corpus
from interestrec.encoding.hidden_cache import training_forward
from interestrec.encoding.text_vectors import encode
from interestrec.io.schemas import TEST, TRAIN, VALID
from interestrec.metrics.intensity_errors import INTENSITY_ERRORS
from interestrec.training.batches import BatchBuilder
from interestrec.training.example_sets import popularity
from interestrec.training.examples import Examples, select_contrasting
from interestrec.training.finetuning import TrainedModel
from interestrec.training.impression_examples import impression_examples, usable_impressions
from interestrec.training.item_vectors import FrozenTextVectors
from interestrec.training.negative_sampler import NegativeSampler
from interestrec.training.preparation import VALIDATION_NEGATIVES
from interestrec.training.training_inputs import TrainingInputs
from interestrec.training.user_text_examples import extend_codes, with_documents
from interestrec.training.validation import ValidationScores, validation_batches

HELD_OUT = TEST
_UNSEEN = -1  # in no split, so nothing reads it


def by_users(corpus: Corpus, count: int, fold: int, seed: int) -> Corpus:
    """Hold out the train impressions of one of `count` random parts of the train users.

    Raises:
        DataError: there are fewer train users than folds.
    """
    users = np.unique(corpus.impressions.user[corpus.impressions.split == TRAIN])
    if len(users) < count:
        raise DataError(f"{corpus.path}: {len(users)} users in train are too few for {count} folds; set fewer folds")
    part = np.full(len(corpus.timelines.offsets) - 1, -1)
    part[users] = np.random.default_rng([seed, 5]).permutation(len(users)) % count
    return _held_out(
        corpus,
        events=np.where(part[corpus.timelines.user] == fold, _UNSEEN, TRAIN),
        impressions=np.where(part[corpus.impressions.user] == fold, HELD_OUT, TRAIN),
    )


def by_time(corpus: Corpus, count: int, fold: int, seed: int) -> Corpus:
    """Hold out one of `count` blocks of time; train is everything before it and nothing after it.

    The train impressions are divided into `count` + 1 blocks of equal size; the first is never held out.

    Raises:
        DataError: the log has no times, or too few different ones.
    """
    time = corpus.impressions.time[corpus.impressions.split == TRAIN]
    if not len(time) or (time == NO_TIME).any():
        raise DataError(f"{corpus.path}: folds by time need a time for every train impression; use folds by users")
    edges = np.quantile(time, np.arange(1, count + 2) / (count + 1), method="higher")
    begin, end = edges[fold], edges[fold + 1]
    if (np.diff(edges) <= 0).any():
        raise DataError(f"{corpus.path}: too few different times for {count} folds; set fewer folds")

    def split(times: np.ndarray, inside: int) -> np.ndarray:
        last = times <= end if fold == count - 1 else times < end
        return np.where(times < begin, TRAIN, np.where(last, inside, _UNSEEN))

    return _held_out(corpus, split(corpus.timelines.time, _UNSEEN), split(corpus.impressions.time, HELD_OUT))


FOLDS = {"users": by_users, "time": by_time}


def _held_out(corpus: Corpus, events: np.ndarray, impressions: np.ndarray) -> Corpus:
    """Assign new splits to train's events and impressions; valid stays, and test is in no split."""
    old_events, old_impressions = corpus.timelines.split, corpus.impressions.split
    other_events = np.where(old_events == VALID, VALID, _UNSEEN)
    other_impressions = np.where(old_impressions == VALID, VALID, _UNSEEN)
    return corpus.with_splits(
        np.where(old_events == TRAIN, events, other_events).astype(np.int8),
        np.where(old_impressions == TRAIN, impressions, other_impressions).astype(np.int8),
    )


def measure(trained: TrainedModel, inputs: TrainingInputs) -> dict[str, float]:
    """Measure the held-out examples: `auc` as in validation, `rmse` and `logloss` of the calibrated intensity, and `n`.

    Raises:
        DataError: no held-out event has an intensity above 0.
    """
    corpus = inputs.corpus
    examples = impression_examples(corpus.impressions, usable_impressions(corpus, HELD_OUT))
    if not (examples.label > 0).any():
        raise DataError(f"{corpus.path}: a fold holds out no event with an intensity above 0; set fewer folds")
    vectors, codes = trained.text_vectors, trained.codes
    if trained.model.config.user_text is not None:
        examples, user_vectors = _with_user_texts(examples, trained, inputs, trained.model.config.user_text.tokens)
        vectors = np.concatenate([vectors, user_vectors])
        codes = extend_codes(codes, len(vectors))
    scores = ValidationScores(trained.model, FrozenTextVectors(vectors), codes, trained.user_features)
    seed = inputs.seed
    builder = BatchBuilder(
        corpus.timelines, Moments.of(corpus), inputs.settings.max_history, corpus.relevant_from, inputs.repeats
    )
    sampler = NegativeSampler.from_popularity(popularity(corpus), VALIDATION_NEGATIVES, VALIDATION_NEGATIVES)
    contrasting = validation_batches(select_contrasting(examples), builder, sampler, seed)
    auc = scores.mean_auc(contrasting, corpus.relevant_from)
    logits, labels = scores.labelled(validation_batches(examples, builder, sampler, seed))
    predicted = trained.calibration(logits)
    errors = {}
    for name in ("rmse", "logloss"):
        metric = INTENSITY_ERRORS[name]
        errors[name] = float(metric.transform(metric.loss(labels, predicted).mean(keepdims=True)))
    return {"auc": auc, **errors, "n": float(len(examples))}


def _with_user_texts(
    examples: Examples, trained: TrainedModel, inputs: TrainingInputs, max_length: int
) -> tuple[Examples, np.ndarray]:
    """Return the examples with documents, and the documents' vectors, float32 [documents, width]."""
    settings, timelines, items = inputs.settings, inputs.corpus.timelines, inputs.texts
    assert items is not None
    parts = [(examples, np.arange(len(examples)))]
    texts, (examples,) = with_documents(items.inputs, parts, timelines, settings.max_history, max_length)
    user_texts = texts.select(np.arange(len(items.inputs), len(texts)))
    forward = training_forward(items.encoder, settings.trainable_layers)
    return examples, encode(items.encoder, user_texts, forward=forward)
