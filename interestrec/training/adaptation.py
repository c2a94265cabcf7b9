"""Masked-language-model training of an encoder on a corpus's texts."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from interestrec.core.errors import NumericError
from interestrec.core.progress import log, track
from interestrec.encoding.inputs import TextInputs
from interestrec.model.bert import Bert
from interestrec.model.losses import masked_token
from interestrec.model.masked_lm import MaskedLmHead
from interestrec.text.masking import IGNORED, mask_tokens
from interestrec.text.tokenizer import Tokenizer
from interestrec.training.checkpoint import Checkpoints, assign, values
from interestrec.training.schedule import adamw

_STEP = 8  # batch lengths are multiples of it
_MOST_HELD_OUT = 512
# ids, mask, labels; a step is compiled once, whatever shapes its batches have
_BATCH = [tf.TensorSpec([None, None], kind) for kind in (tf.int32, tf.float32, tf.int32)]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast; names and meanings are those of the `pretrain_adapt` settings."""

    steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    mask_probability: float
    seed: int


@dataclass(frozen=True)
class Adapted:
    """Masked-token cross-entropy in nats on held-out texts before and after, and the loss of every step."""

    before: float
    after: float
    losses: list[float]


def adapt(
    bert: Bert,
    head: MaskedLmHead,
    train: TextInputs,
    held_out: TextInputs,
    tokenizer: Tokenizer,
    plan: Schedule,
    checkpoints: Checkpoints,
) -> Adapted:
    """Train all layers on `train`; the encoder and head are changed in place.

    The order of texts is a function of the seed and the pass over them, masks of the seed and the step: a run that was
    cut off goes on from its last checkpoint, and ends with the same bits as one that was not.

    Raises:
        NumericError: the loss is not finite.
    """
    variables = [*bert.trainable_variables, *head.trainable_variables]
    optimizer = adamw(variables, plan.learning_rate, plan.steps, plan.weight_decay)
    fixed = _held_out_batches(held_out, tokenizer, plan)

    @tf.function(input_signature=_BATCH)
    def update(ids: tf.Tensor, mask: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = _loss(bert, head, ids, mask, labels, training=True)
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    @tf.function(input_signature=_BATCH)
    def measure(ids: tf.Tensor, mask: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        return _loss(bert, head, ids, mask, labels, training=False)

    def evaluate() -> float:
        predicted = [float(np.sum(labels != IGNORED)) for _, _, labels in fixed]
        return float(np.average([float(measure(*batch)) for batch in fixed], weights=predicted))

    state = {"weights": variables, "seeds": bert.non_trainable_variables, "optimizer": optimizer.variables}
    found = checkpoints.latest()
    if found is None:
        before, losses = evaluate(), []
        log.info("pretrain-adapt: held-out loss %.4f before", before)
    else:
        before, losses = found.progress["before"], found.progress["losses"]
        for name, group in state.items():
            assign(group, found.groups.get(name, []))
        log.info("pretrain-adapt: going on from step %d", len(losses))
    for step in track(range(len(losses), plan.steps), "masked-language-model training", unit="steps"):
        loss = float(update(*_batch(train, _rows(len(train), step, plan), tokenizer, plan, [plan.seed, 0, step])))
        if not np.isfinite(loss):
            raise NumericError(f"the loss is not finite at step {step}; lower pretrain_adapt.learning_rate, run again")
        losses.append(loss)
        if checkpoints.due():
            arrays = {name: values(group) for name, group in state.items()}
            checkpoints.save(step + 1, arrays, {"before": before, "losses": losses})
    after = evaluate()
    log.info("pretrain-adapt: held-out loss %.4f after %d steps", after, plan.steps)
    return Adapted(before, after, losses)


def _rows(texts: int, step: int, plan: Schedule) -> np.ndarray:
    """Texts of a step: the passes' permutations, laid end to end."""
    positions = np.arange(step * plan.batch_size, (step + 1) * plan.batch_size)
    passes = positions // texts
    orders = {p: np.random.default_rng([plan.seed, 1, int(p)]).permutation(texts) for p in np.unique(passes)}
    return np.array([orders[p][position % texts] for p, position in zip(passes, positions, strict=True)])


def _batch(
    texts: TextInputs, rows: np.ndarray, tokenizer: Tokenizer, plan: Schedule, seed: list[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    length = -(-int(texts.lengths[rows].max()) // _STEP) * _STEP
    ids, mask = texts.padded(rows, length)
    maskable = (mask > 0) & ~np.isin(ids, tokenizer.special_ids)
    inputs, labels = mask_tokens(
        ids,
        maskable,
        np.random.default_rng(seed),
        tokenizer.mask_id,
        tokenizer.vocabulary_size,
        plan.mask_probability,
        tokenizer.special_ids,
    )
    if not (labels != IGNORED).any():  # a batch of very short texts: predict one token, so that there is a loss
        row, column = np.argwhere(maskable)[0]
        inputs[row, column], labels[row, column] = tokenizer.mask_id, ids[row, column]
    return inputs, mask, labels


def _held_out_batches(
    held_out: TextInputs, tokenizer: Tokenizer, plan: Schedule
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    rows = np.arange(min(len(held_out), _MOST_HELD_OUT))
    starts = range(0, len(rows), plan.batch_size)
    return [_batch(held_out, rows[s : s + plan.batch_size], tokenizer, plan, [plan.seed, 2, s]) for s in starts]


def _loss(
    bert: Bert, head: MaskedLmHead, ids: tf.Tensor, mask: tf.Tensor, labels: tf.Tensor, training: bool
) -> tf.Tensor:
    """Cross-entropy at the masked positions; logits are computed for these alone."""
    hidden = tf.boolean_mask(bert(ids, mask, training=training), labels != IGNORED)
    return masked_token(head(hidden, bert.words), tf.boolean_mask(labels, labels != IGNORED))
