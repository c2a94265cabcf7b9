"""Intensity: the trained two-tower models as a scorer, by the mean of what they rank by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Self

from interestrec.core.deferred_import import np
from interestrec.scorers.definition import KEPT, MODEL, ScorerDefinition
from interestrec.scorers.item_search import (
    ApproximateSearch,
    ItemSearch,
    item_search,
    measured_recall,
    restored_search,
)
from interestrec.scorers.requests import Requests
from interestrec.scorers.stored_arrays import pack_optional, unpack_optional
from interestrec.scorers.two_tower_model import TwoTowerModel, mean_of_models, model_arrays, restored_models

if TYPE_CHECKING:
    from interestrec.scorers.scorer_inputs import ScorerInputs

_ASKED = 200  # users for whom the recall of a search is measured


class Intensity:
    """Scores by the models' mean logits of order, or by their tasks if they say so (`finetune.rank_by`); how strong the
    interest is says `strength`.

    Models that represent users by texts (`needs_encoder`) are no arrays: open them from the `model` artifact.
    """

    def __init__(self, models: Sequence[TwoTowerModel], search: ItemSearch | None = None) -> None:
        """
        Args:
            models: of one corpus.
            search: of the items nearest to the user's vector by the first model, which are scored in full; None: all
                items are.
        """
        self.models = models
        self.items = len(models[0].items.texts)
        self.search = search

    @property
    def needs_encoder(self) -> bool:
        """See TwoTowerModel."""
        return self.models[0].needs_encoder

    @property
    def search_recall(self) -> float | None:
        """The share of the nearest items that an approximate search found at the fit; None if there is none."""
        return self.search.recall if isinstance(self.search, ApproximateSearch) else None

    @property
    def history_length(self) -> int:
        """See ReadsLatest."""
        return max(model.model.config.max_history for model in self.models)

    def history_attention(self, requests: Requests) -> np.ndarray | None:
        """See AttendsToHistory: the mean over the models."""
        if self.needs_encoder:
            return None
        return np.mean([model.history_attention(requests) for model in self.models], axis=0)

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """See Scorer. Items that are not retrieved rank below all retrieved items."""
        scores = np.empty((len(requests), self.items), np.float32)
        for rows, block, moments in self.models[0].blocks(requests):
            if self.search is None:
                logits = [model.catalogue_ranking(model.histories(block), moments) for model in self.models]
                scores[rows] = mean_of_models(logits)
            else:
                logits_of = partial(self._logits_of, block)
                scores[rows] = self.search.scores(self.models[0].histories(block), logits_of)
        return scores

    def _logits_of(self, requests: Requests, items: np.ndarray) -> np.ndarray:
        """Return the logits of some items of each request, float32 of the shape of `items`, [requests, items]."""
        offsets = np.arange(len(requests) + 1) * items.shape[1]
        return self.score_candidates(requests, offsets, items.ravel()).reshape(items.shape)

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """See Scorer."""
        return mean_of_models([model.candidate_ranking(requests, offsets, item) for model in self.models])

    def arrays(self) -> dict[str, np.ndarray]:
        """See StorableScorer; those of the models are the objects that `Strength.arrays` returns for the same models.

        Raises:
            ArtifactError: the models need an encoder.
        """
        if self.search is None:
            return {**model_arrays(self.models), "retrieve": pack_optional(None)}
        searched = {"retrieve": pack_optional(self.search.retrieve), **self.search.arrays()}
        return {**model_arrays(self.models), **searched}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See StorableScorer."""
        models, retrieve = restored_models(arrays), unpack_optional(arrays["retrieve"])
        return cls(models, None if retrieve is None else restored_search(models[0], int(retrieve), arrays))

    def grown(self, models: Sequence[TwoTowerModel], retrieve: int | None, search: str) -> Self:
        """Return the scorer of the models after new items and users joined them; the others as in `fit`."""
        return type(self)(models, item_search(models[0], retrieve, search, self.search))


def fit(inputs: ScorerInputs, retrieve: int | None, search: str = "exact") -> Intensity:
    """Take the models that `finetune` trained; `rank.search` finds `rank.retrieve` items.

    Raises:
        ConfigError: the search is approximate, and usearch is not installed.
    """
    models = inputs.two_towers
    found = item_search(models[0], retrieve, search)
    if isinstance(found, ApproximateSearch):
        found.recall = measured_recall(found, models[0], _sampled(inputs))
    return Intensity(models, found)


def _sampled(inputs: ScorerInputs) -> Requests:
    """Return requests of a random sample of users who have a history."""
    from interestrec.scorers.queries import requests_as_of

    corpus = inputs.corpus
    users = np.random.default_rng(inputs.seed).permutation(np.unique(corpus.timelines.user))[:_ASKED]
    return requests_as_of(corpus, corpus.moment, users)


DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=Intensity,
    fitted_on=MODEL,
    follows=KEPT,
    needs=("retrieve", "search"),
    is_system=False,
    component="intensity",
)
