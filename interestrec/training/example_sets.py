"""The examples of a corpus by their use, and the popularity of its items."""

from typing import NamedTuple

import numpy as np

from interestrec.core.errors import DataError
from interestrec.corpus.store import Corpus
from interestrec.io.schemas import TRAIN, VALID
from interestrec.training.examples import Examples, TaskTargets, history_examples, select_contrasting, without_order
from interestrec.training.impression_examples import impression_examples, usable_impressions


class ExampleSets(NamedTuple):
    """The examples of a corpus by their use."""

    train: Examples
    histories: Examples  # next events within the histories of train
    select: Examples  # of valid_select
    blend: Examples  # of valid_blend

    @property
    def ranks_catalogue(self) -> bool:
        """Whether lists over the catalogue are learned, rather than the order of impressions.

        This is so if no example of train shows what was ignored, so that all of them need sampled negatives.
        """
        return bool(self.train.sampled.all())


def corpus_examples(
    corpus: Corpus, require_valid: bool = True, targets: TaskTargets | None = None, with_histories: bool = True
) -> ExampleSets:
    """Return the examples of a corpus.

    Args:
        require_valid: whether valid_select must have a positive label.
        targets: labels of tasks; None: there are no tasks.
        with_histories: whether next events within the histories of train are examples; otherwise there are none.

    Raises:
        DataError: train, or valid_select if required, has no example with a positive label.
    """
    impressions = corpus.impressions
    of_candidates, of_events = (None, None) if targets is None else (targets.candidates, targets.events)

    def of_impressions(split: int, select: bool | None = None) -> Examples:
        usable = usable_impressions(corpus, split, select)
        return impression_examples(impressions, usable, of_candidates, corpus.path)

    train, select = of_impressions(TRAIN), of_impressions(VALID, select=True)
    for name, examples in {"train": train, **({"valid": select} if require_valid else {})}.items():
        if not (examples.label > 0).any():
            raise DataError(
                f"{corpus.path}: no event with an intensity above 0 in {name}; "
                "check preprocess.intensity and preprocess.split"
            )
    mask = (impressions.split == TRAIN) & with_histories
    histories = history_examples(impressions, corpus.timelines, mask, of_events)
    if corpus.is_unordered:
        train, histories = (without_order(examples, corpus.timelines) for examples in (train, histories))
    return ExampleSets(train, histories, select_contrasting(select), of_impressions(VALID, select=False))


def popularity(corpus: Corpus) -> np.ndarray:
    """Return the share of each item in the positive train events, float64 [items]: what negatives are drawn by.

    Negatives that are drawn by popularity teach P(i | u) / P(i) unless the rate is subtracted from the logits (Levy and
    Goldberg 2014), see SharedNegatives.
    """
    timelines = corpus.timelines
    train = (timelines.split == TRAIN) & (timelines.intensity > 0)
    counts = np.bincount(timelines.item[train], minlength=corpus.items.num_rows).astype(np.float64)
    return counts / max(counts.sum(), 1.0)
