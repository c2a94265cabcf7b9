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
from interestrec.model.noise import Noise
from interestrec.text.masking import IGNORED, mask_tokens
from interestrec.text.tokenizer import Tokenizer
from interestrec.training.checkpoint import Checkpoints, assign, values
from interestrec.training.distribution import peers
from interestrec.training.engine import Engine
from interestrec.training.execution import Execution
from interestrec.training.optimizer import AdamW, Group
from interestrec.training.schedule import DECAYS, share

_STEP = 8  # batch lengths are multiples of it
_MOST_HELD_OUT = 512
_WARM_UP, _CLIP = 0.1, 1.0


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
    execution: Execution,
    checkpoints: Checkpoints,
) -> Adapted:
    """Train all layers on `train`; the encoder and head are changed in place.

    The order of texts is a function of the seed and the pass over them, masks of the seed and the step: a run that was
    cut off goes on from its last checkpoint, and ends with the same bits as one that was not.

    Raises:
        NumericError: the loss is not finite.
    """
    variables = [v.value for v in (*bert.trainable_variables, *head.trainable_variables)]
    objective = MaskedTokens(bert, head)
    with execution.strategy.scope():
        optimizer = AdamW([Group(variables, plan.learning_rate)], plan.weight_decay, _CLIP, execution.scaled)
    engine = Engine(execution.strategy, objective, {"masked": 1.0}, optimizer, execution.accumulate, plan.seed)
    fixed = _held_out_batches(held_out, tokenizer, plan)
    measure = tf.function(objective.loss, input_signature=objective.signature)

    def evaluate() -> float:
        return float(sum(float(measure(*batch)) for batch in fixed) / sum(np.sum(b[2] != IGNORED) for b in fixed))

    state = {"weights": variables, "optimizer": optimizer.state}
    found = checkpoints.latest(execution.strategy)
    if found is None:
        before, losses = evaluate(), []
        log.info("pretrain-adapt: held-out loss %.4f before", before)
    else:
        before, losses = found.progress["before"], found.progress["losses"]
        for name, group in state.items():
            assign(group, found.groups[name])
        log.info("pretrain-adapt: going on from step %d", len(losses))
    with peers():
        for step in track(range(len(losses) + 1, plan.steps + 1), "masked-language-model training", unit="steps"):
            batch = _batch(train, _rows(len(train), step - 1, plan), tokenizer, plan, [plan.seed, 0, step - 1])
            slices = [tuple(np.array_split(array, engine.slices)[n] for array in batch) for n in engine.mine]
            rate = share(DECAYS["linear"], _WARM_UP, (step - 0.5) / plan.steps)
            measured, _ = engine.step(slices, step, step, rate)
            if not np.isfinite(measured["loss"]):
                raise NumericError(
                    f"the loss is not finite at step {step}; lower pretrain_adapt.learning_rate, run again"
                )
            losses.append(measured["loss"])
            if execution.watch:
                execution.watch(step, measured)
            if checkpoints.due():
                arrays = {name: values(group) for name, group in state.items()}
                checkpoints.save(step, arrays, {"before": before, "losses": losses})
    after = evaluate()
    log.info("pretrain-adapt: held-out loss %.4f after %d steps", after, plan.steps)
    return Adapted(before, after, losses)


class MaskedTokens:
    """Cross-entropy at the masked positions; logits are computed for these alone. An Objective of ids, mask, labels."""

    signature = tuple(tf.TensorSpec([None, None], kind) for kind in (tf.int32, tf.float32, tf.int32))

    def __init__(self, bert: Bert, head: MaskedLmHead) -> None:
        self.bert = bert
        self.head = head

    def counts(self, *inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """See Objective."""
        return {"masked": tf.reduce_sum(tf.cast(inputs[2] != IGNORED, tf.float32))}

    def totals(self, *inputs: tf.Tensor, noise: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """See Objective."""
        ids, mask, labels = inputs
        return {"masked": self.loss(ids, mask, labels, noise)}, tf.zeros([0])

    def loss(self, ids: tf.Tensor, mask: tf.Tensor, labels: tf.Tensor, noise: Noise = None) -> tf.Tensor:
        """Sum over the masked positions: float32 scalar."""
        predicted = labels != IGNORED
        hidden = tf.boolean_mask(self.bert(ids, mask, noise), predicted)
        return tf.reduce_sum(masked_token(self.head(hidden, self.bert.words), tf.boolean_mask(labels, predicted)))


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
