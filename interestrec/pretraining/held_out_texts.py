"""HeldOutTexts: measures an encoder on held-out texts."""

import math

import numpy as np

from interestrec.encoding.text_vectors import encode
from interestrec.metrics.representation import alignment, uniformity
from interestrec.model.backend import tf
from interestrec.model.encoder import EncoderInputs
from interestrec.pretraining.passages import Passages
from interestrec.pretraining.text_task import TextTask
from interestrec.text.text_inputs import batches

_MAX_PASSAGES = 512
_NOISE_SPEC = tf.TensorSpec([2], tf.int32)


class HeldOutTexts:
    """Measures with equal batches, masks and dropout at every call, so that figures before and after are comparable."""

    def __init__(self, objective: TextTask, passages: Passages, batch_size: int, seed: int) -> None:
        self.objective = objective
        self.passages = passages.select(np.arange(min(len(passages), _MAX_PASSAGES)))
        self.seed = seed
        rows = np.argsort(self.passages.lengths, kind="stable")
        self._rows = {start: rows[start : start + batch_size] for start in range(0, len(rows), batch_size)}
        self._sum = tf.function(self._total, input_signature=(*objective.signature, _NOISE_SPEC), autograph=False)
        encoder = objective.encoder
        self._view = tf.function(
            lambda ids, mask, noise: encoder.pool(encoder(ids, mask, noise), mask),
            input_signature=(*objective.signature[:2], _NOISE_SPEC),
            autograph=False,
        )

    def measure(self) -> dict[str, float]:
        """Return the figures of the objective's `loss`, `alignment` and `uniformity`, except those that are not finite.

        Alignment is that of the two sides without dropout, or of two dropout views of the only side; uniformity is that
        of the first side without dropout."""
        sums = [self._sum_of(start, number) for number, start in enumerate(self._rows)]
        count = sum(count for _, count in sums)
        loss = sum(total for total, _ in sums) / count if count else math.nan
        sides = zip(self.objective.towers, self.passages.sides, strict=True)
        vectors = [encode(tower, side) for tower, side in sides]
        has_all = np.all([vector.any(axis=1) for vector in vectors], axis=0)  # a picture may not decode
        pair = [side[has_all] for side in (vectors if len(vectors) == 2 else self._views(self.passages.sides[0]))]
        figures = {**self.objective.figures(loss), "alignment": alignment(*pair), "uniformity": uniformity(vectors[0])}
        return {name: value for name, value in figures.items() if np.isfinite(value)}

    def _sum_of(self, start: int, number: int) -> tuple[float, float]:
        """Return the loss's sum over a batch, which is made anew to bound the memory, and its count."""
        batch = self.objective.batch(self.passages, self._rows[start], [self.seed, 2, start])
        total, count = self._sum(*batch, [self.seed, number])
        return float(total), float(count)

    def _total(self, *inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        *arrays, noise = inputs
        totals, _ = self.objective.totals(*arrays, noise=noise if self.objective.needs_dropout else None)
        return totals[self.objective.name], self.objective.counts(*arrays)[self.objective.name]

    def _views(self, texts: EncoderInputs) -> np.ndarray:
        """Encode texts under two dropout masks: float32 [2, texts, hidden]."""
        views = np.zeros((2, len(texts), self.objective.encoder.width), np.float32)
        for number, (rows, length) in enumerate(batches(texts.lengths)):
            for view in (0, 1):
                views[view, rows] = self._view(*texts.padded(rows, length), [self.seed, 2 * number + view])
        return views
