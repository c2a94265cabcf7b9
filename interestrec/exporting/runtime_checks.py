"""Checks of an export in its own runtime: scores, lists and vectors are those of the trained model."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from interestrec.core.errors import NumericError
from interestrec.exporting.exported_graph import EMBED, EXCLUDED, SCORE
from interestrec.exporting.runtime_formats import RunsGraphs

TOLERANCE = 1e-5  # of |a − b| / max(1, |b|), for float32
PAIRS = 1000  # that are scored at least, if the corpus has them


class Agreement(NamedTuple):
    """How many values of a kind were compared, and their largest relative difference."""

    values: int
    difference: float

    @classmethod
    def of(cls, found: np.ndarray, expected: np.ndarray) -> "Agreement":
        """Compare two float arrays of one shape; a value that is not finite differs by infinity."""
        if not found.size:
            return cls(0, 0.0)
        apart = np.abs(found.astype(np.float64) - expected) / np.maximum(np.abs(expected), 1.0)
        return cls(found.size, float(np.where(np.isfinite(apart), apart, np.inf).max()))

    def require(self, what: str, to: str) -> None:
        """Check that the values agree.

        Raises:
            NumericError: they do not.
        """
        if self.difference > TOLERANCE:
            raise NumericError(
                f"--to {to}: {what} of the export differ by {self.difference:.1e} from those of the model, more than "
                f"{TOLERANCE:.0e}; nothing was written"
            )


def score_agreement(
    graphs: RunsGraphs,
    requests: Mapping[str, np.ndarray],
    items: Mapping[str, np.ndarray],
    order: np.ndarray,
    strength: np.ndarray,
) -> tuple[Agreement, Agreement]:
    """Compare logits of order and of strength.

    Args:
        requests, items: inputs of the graph `score`.
        order: float32 [requests, items], by the trained model.
        strength: float32 [models, requests, items], likewise.
    """
    found = graphs.run(SCORE, {**requests, **items})
    return Agreement.of(found["scores"], order), Agreement.of(found["strength"], strength)


def list_agreement(
    lists: Iterable[Mapping[str, Any]],
    examples: Sequence[Mapping[str, Any]],
    score: np.ndarray,
    item_ids: Sequence[str],
) -> Agreement:
    """Compare lists of the shipped script with those of the trained model.

    An item of another place is right if the trained model gives the items of both places the same score, up to the
    tolerance.

    Args:
        lists: of the script for the examples, with `items` and `scores`.
        score: float32 [examples, items], of the trained model, in the order of the export.
        item_ids: in the same order.
    """
    row = {name: number for number, name in enumerate(item_ids)}
    found, expected = [], []
    for answer, example, own in zip(lists, examples, score, strict=True):
        permitted = own.copy()
        permitted[[row[event["item"]] for event in example["history"]]] = EXCLUDED
        best = np.sort(permitted)[::-1][: len(answer["items"])]
        found += [permitted[[row[name] for name in answer["items"]]], np.array(answer["scores"])]
        expected += [best, best]
    return Agreement.of(np.concatenate(found), np.concatenate(expected))


class TextSample(NamedTuple):
    """Some items: inputs of the graph `embed_items`, and what the trained model makes of them."""

    inputs: Mapping[str, np.ndarray]
    items: Mapping[str, np.ndarray]  # `texts`, `entries` and `candidates`, float32 [models, items, width]

    def agreement(self, graphs: RunsGraphs) -> Agreement:
        """Compare all vectors."""
        found = graphs.run(EMBED, dict(self.inputs))
        flat = [np.concatenate([part[name].ravel() for name in self.items]) for part in (found, self.items)]
        return Agreement.of(*flat)

    def smallest_cosine(self, graphs: RunsGraphs) -> float:
        """Return the smallest cosine of an item vector in the runtime to that of the model."""
        found = graphs.run(EMBED, dict(self.inputs))["texts"]
        return float((found * self.items["texts"]).sum(axis=-1).min())
