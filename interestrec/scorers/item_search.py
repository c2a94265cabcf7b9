"""Searches of the items nearest to a user: among all items, or along a graph of them.

How near an item is says `CatalogueLogits.nearness`, one product of the user's and the item's vector. The graph (HNSW,
by usearch) is built of the items' vectors with one more coordinate, which brings them all to one length; that of users
is 0. So their products stay what they are, while items become neighbours by direction, and a search finds more of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, Self

from interestrec.core.deferred_import import np
from interestrec.core.errors import ArtifactError, ConfigError
from interestrec.core.progress import log, track
from interestrec.model.rank_formula import ORDER
from interestrec.scorers.stored_arrays import pack_optional, unpack_optional

if TYPE_CHECKING:
    from interestrec.model.catalogue_logits import CatalogueLogits
    from interestrec.model.user_arrays import UserHistories
    from interestrec.scorers.requests import Requests
    from interestrec.scorers.two_tower_model import TwoTowerModel

    # Takes items, int64 [users, found], and returns their logits, float32 of the same shape.
    LogitsOf = Callable[[np.ndarray], np.ndarray]

_CONNECTIVITY = 16  # neighbours of an item in the graph
_READ = 8  # items that a search keeps as it walks, for each one that is to be found
_ITEMS_PER_BLOCK = 1 << 14  # whose vectors are copied together
_LEAST_RECALL = 0.95  # below it, a warning
_INDEX, _RECALL = "search.index", "search.recall"  # names of arrays


class ItemSearch(Protocol):
    """Finds the items that are scored in full; the others rank below them."""

    retrieve: int  # number of items to find

    def nearest(self, histories: UserHistories) -> np.ndarray:
        """Return the items found for each user, int64 [users, retrieve]."""

    def scores(self, histories: UserHistories, logits: LogitsOf) -> np.ndarray:
        """Return the logits of the items found, and lower values of all others, float32 [users, items]."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what is stored of the search besides `retrieve`, by name."""


class ExactSearch:
    """Compares a user with all items; those that are not found rank by their nearness."""

    def __init__(self, catalogue: CatalogueLogits, retrieve: int) -> None:
        self.catalogue = catalogue
        self.retrieve = retrieve

    def nearest(self, histories: UserHistories) -> np.ndarray:
        """See ItemSearch."""
        return self._largest(self.catalogue.nearness(histories))

    def scores(self, histories: UserHistories, logits: LogitsOf) -> np.ndarray:
        """See ItemSearch."""
        nearness = self.catalogue.nearness(histories)
        items = self._largest(nearness)
        found = logits(items)
        nearness -= np.take_along_axis(nearness, items, axis=1).min(axis=1, keepdims=True)
        nearness += found.min(axis=1, keepdims=True)
        np.put_along_axis(nearness, items, found, axis=1)
        return nearness

    def _largest(self, nearness: np.ndarray) -> np.ndarray:
        return np.argpartition(-nearness, self.retrieve - 1, axis=1)[:, : self.retrieve]

    def arrays(self) -> dict[str, np.ndarray]:
        """See ItemSearch."""
        return {}


class ApproximateSearch:
    """Walks along a graph of the items; those that are not found share one score, so that other components order them.

    The graph is searched in its stored form, without a second copy in memory. A search walks the same way whatever
    other users are asked for.
    """

    def __init__(
        self, catalogue: CatalogueLogits, retrieve: int, stored: np.ndarray, recall: float | None = None
    ) -> None:
        """
        Args:
            stored: uint8 [bytes], the graph as usearch writes it.
            recall: share of the nearest items that it found when it was fitted; None: no user has a history.

        Raises:
            ConfigError: usearch is not installed.
            ArtifactError: `stored` is no graph of the items.
        """
        self.catalogue = catalogue
        self.retrieve = retrieve
        self.stored = stored
        self.recall = recall
        self._graph = _restored(stored, view=True)
        if len(self._graph) != catalogue.n_items:
            raise ArtifactError(
                f"the index of rank.search has {len(self._graph)} items, but the model {catalogue.n_items}; run "
                "`interestrec rank --force`"
            )
        self._graph.expansion_search = _READ * retrieve

    @classmethod
    def of(cls, catalogue: CatalogueLogits, retrieve: int) -> Self:
        """Build the graph of all items, on one thread, because the threads of a build would race for neighbours.

        Raises:
            ConfigError: usearch is not installed.
        """
        width = catalogue.item_vectors(slice(0, 0)).shape[1] + 1
        graph = _usearch()(ndim=width, metric="ip", dtype="bf16", connectivity=_CONNECTIVITY, enable_key_lookups=False)
        return cls(catalogue, retrieve, _extended(graph, catalogue))

    def with_items_of(self, catalogue: CatalogueLogits) -> Self:
        """Return the search of a grown catalogue, whose new items, behind the others, join the graph."""
        if len(self._graph) == catalogue.n_items:
            return type(self)(catalogue, self.retrieve, self.stored, self.recall)
        stored = _extended(_restored(self.stored, view=False), catalogue)
        return type(self)(catalogue, self.retrieve, stored, self.recall)

    def nearest(self, histories: UserHistories) -> np.ndarray:
        """See ItemSearch; the nearest one occurs again where the graph leads to too few."""
        vectors = self.catalogue.user_vectors(histories)
        vectors = np.concatenate([vectors, np.zeros((len(vectors), 1), np.float32)], axis=1)
        items = np.empty((len(vectors), self.retrieve), np.int64)
        for row, vector in enumerate(vectors):
            found = self._graph.search(vector, self.retrieve, threads=1).keys
            items[row, : len(found)], items[row, len(found) :] = found, found[0]
        return items

    def scores(self, histories: UserHistories, logits: LogitsOf) -> np.ndarray:
        """See ItemSearch."""
        items = self.nearest(histories)
        found = logits(items)
        scores = np.empty((len(items), self.catalogue.n_items), np.float32)
        scores[:] = np.nextafter(found.min(axis=1, keepdims=True), np.float32(-np.inf))
        np.put_along_axis(scores, items, found, axis=1)
        return scores

    def arrays(self) -> dict[str, np.ndarray]:
        """See ItemSearch."""
        return {_INDEX: self.stored, _RECALL: pack_optional(self.recall)}


def item_search(
    model: TwoTowerModel, retrieve: int | None, search: str, earlier: ItemSearch | None = None
) -> ItemSearch | None:
    """Return the search of `rank.search` over the items of a model; None: all items are scored in full.

    Args:
        retrieve: `rank.retrieve`.
        earlier: of the model before new items joined it.

    Raises:
        ConfigError: the search is approximate, and usearch is not installed.
    """
    if retrieve is None or retrieve >= model.catalogue.n_items:
        return None
    rank_by = model.model.config.rank_by
    if rank_by and ORDER not in dict(rank_by):  # one product per pair and task is all there is
        return None
    if search == "exact":
        return ExactSearch(model.catalogue, retrieve)
    if isinstance(earlier, ApproximateSearch):
        return earlier.with_items_of(model.catalogue)
    return ApproximateSearch.of(model.catalogue, retrieve)


def restored_search(model: TwoTowerModel, retrieve: int, arrays: Mapping[str, np.ndarray]) -> ItemSearch:
    """Restore the search of `ItemSearch.arrays`.

    Raises:
        ConfigError: the search is approximate, and usearch is not installed.
        ArtifactError: the arrays are damaged.
    """
    if _INDEX not in arrays:
        return ExactSearch(model.catalogue, retrieve)
    return ApproximateSearch(model.catalogue, retrieve, arrays[_INDEX], unpack_optional(arrays[_RECALL]))


def measured_recall(search: ApproximateSearch, model: TwoTowerModel, requests: Requests) -> float | None:
    """Return the share of the nearest items of some users that a search finds, and log it; None without a user."""
    exact, shares = ExactSearch(search.catalogue, search.retrieve), []
    for start in range(0, len(requests), model.block_length):
        histories = model.histories(requests.block(start, start + model.block_length))
        pairs = zip(exact.nearest(histories), search.nearest(histories), strict=True)
        shares += [np.isin(true, found).mean() for true, found in pairs]
    if not shares:
        log.info("rank: the recall of the approximate search is unknown, as no user has a history")
        return None
    recall = float(np.mean(shares))
    said = f"approximate search finds {recall:.1%} of the {search.retrieve} nearest items of {len(shares)} users"
    if recall < _LEAST_RECALL:
        log.warning("rank: %s; it reads more with a larger rank.retrieve, and rank.search exact misses none", said)
    else:
        log.info("rank: %s", said)
    return recall


def _extended(graph: Any, catalogue: CatalogueLogits) -> np.ndarray:
    """Add the items that a graph lacks, those behind its own, and return it as stored, uint8 [bytes].

    The length that all vectors are brought to is the largest of the items that came first; later ones may be longer.
    """
    known = len(graph)
    starts = range(known, catalogue.n_items, _ITEMS_PER_BLOCK)
    longest = _longest(catalogue, known or catalogue.n_items)
    for start in track(starts, "search: items join the graph", unit="blocks"):
        rows = slice(start, min(start + _ITEMS_PER_BLOCK, catalogue.n_items))
        vectors = catalogue.item_vectors(rows)
        missing = np.sqrt(np.maximum(longest - np.vecdot(vectors, vectors), 0))
        graph.add(np.arange(rows.start, rows.stop), np.concatenate([vectors, missing[:, None]], axis=1), threads=1)
    return np.frombuffer(graph.save(), np.uint8)


def _longest(catalogue: CatalogueLogits, items: int) -> np.float32:
    """Return the largest squared length of the vectors of the first items."""
    longest = np.float32(0)
    for start in range(0, items, _ITEMS_PER_BLOCK):
        vectors = catalogue.item_vectors(slice(start, min(start + _ITEMS_PER_BLOCK, items)))
        longest = max(longest, np.vecdot(vectors, vectors).max())
    return longest


def _restored(stored: np.ndarray, view: bool) -> Any:
    index = _usearch()
    try:
        graph = index.restore(stored.data, view=view, enable_key_lookups=False)
    except (RuntimeError, ValueError) as error:
        raise ArtifactError(f"the index of rank.search is damaged ({error}); run `interestrec rank --force`") from error
    return graph


def _usearch() -> Any:
    """Return the class of graphs.

    Raises:
        ConfigError: usearch is not installed.
    """
    try:
        from usearch.index import Index
    except ImportError as error:
        raise ConfigError(
            f"rank.search: approximate needs the package usearch ({error}); run: pip install 'interestrec[search]'"
        ) from error
    return Index
