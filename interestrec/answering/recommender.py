"""Recommender: lists, similar items, interested users and scores of pairs from one decision."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from pathlib import Path

import numpy as np

from interestrec.answering.asked import Asked
from interestrec.answering.given_history import EventGrades, GivenEvents
from interestrec.core import ragged
from interestrec.core.choices import suggestion
from interestrec.core.errors import ArtifactError, DataError
from interestrec.corpus.store import Corpus
from interestrec.io.schemas import OURS
from interestrec.metrics.topk import top_k
from interestrec.scorers import queries
from interestrec.scorers.requests import NOBODY, request_blocks
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scoring.decision_files import ITEM_VECTORS, open_log, read_context, read_shared, read_systems
from interestrec.scoring.ensemble import CatalogueScores, Ensemble
from interestrec.scoring.list_limits import ListLimits
from interestrec.scoring.rank_settings import RankSettings
from interestrec.scoring.rules import Rules, load_rules
from interestrec.scoring.write_lists import ListBuilder, list_builder, table_layout

_SIMILARITIES = ("item_item", "content")  # scorers that compare items, the first that the decision has
_COLUMNS = ("request", "item", "rank", "score", "intensity")


@dataclass(frozen=True)
class Recommendations:
    """Rows of lists, by request and place; arrays are of equal length."""

    request: np.ndarray  # int64, row of the requests
    item: np.ndarray  # int64
    rank: np.ndarray  # int32, from 1; 0 where no list may hold the item
    score: np.ndarray  # float64
    intensity: np.ndarray  # float32, predicted, in [0, 1]
    components: Mapping[str, np.ndarray]  # float32 by name

    def rows(self, chosen: np.ndarray) -> "Recommendations":
        """Return some rows, int64 [chosen], in this order."""
        columns = {name: getattr(self, name)[chosen] for name in _COLUMNS}
        return Recommendations(**columns, components={name: part[chosen] for name, part in self.components.items()})

    def numbered(self) -> "Recommendations":
        """Return the rows as those of requests of one row each."""
        return replace(self, request=np.arange(len(self.item)))

    @classmethod
    def concatenated(cls, parts: list["Recommendations"]) -> "Recommendations":
        """Return the rows of all parts."""
        if not parts:
            none = np.zeros(0, np.int64)
            return cls(none, none, none.astype(np.int32), none.astype(np.float64), none.astype(np.float32), {})
        columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS}
        components = {name: np.concatenate([part.components[name] for part in parts]) for name in parts[0].components}
        return cls(**columns, components=components)


@dataclass(frozen=True)
class Recommender:
    """Answers from a decision, by the same code as `rank --as-of`."""

    log: Corpus
    ensemble: Ensemble  # of `interestrec` alone
    rules: Rules
    builder: ListBuilder

    @cached_property
    def grades(self) -> EventGrades:
        """Intensities by kind of event."""
        return EventGrades(self.log)

    @cached_property
    def item_row(self) -> dict[str, int]:
        """Row of each item by id."""
        return {name: row for row, name in enumerate(self.log.items["item_id"].to_pylist())}

    @cached_property
    def user_row(self) -> dict[str, int]:
        """Row of each user by id."""
        return {name: row for row, name in enumerate(self.log.users["user_id"].to_pylist())}

    def find_item(self, name: str) -> int:
        """Return the row of an item.

        Raises:
            DataError: the decision does not know it.
        """
        return _row_of(name, self.item_row, "item")

    def find_user(self, name: str) -> int:
        """Return the row of a user.

        Raises:
            DataError: the decision does not know the user.
        """
        return _row_of(name, self.user_row, "user")

    @cached_property
    def _histories(self) -> Callable[[int], queries.HistoriesAsOf]:
        """Histories by time; those of the last times are kept, since most requests are of one time."""
        return lru_cache(maxsize=2)(partial(queries.HistoriesAsOf, self.log))

    @property
    def moment(self) -> int:
        """Time of lists unless another is asked for; see Corpus."""
        return self.log.moment

    def ask_users(self, users: np.ndarray, at: int, k: int) -> Asked:
        """Return the requests of users of the log, int64 [users], with their events before `at`, in microseconds."""
        requests, rows = self._histories(at).requests(users)
        return Asked(requests, self.grades.kind_of_event[rows], k, value=self.grades.value_of_event[rows])

    def events_of_user(self, user: int, at: int) -> GivenEvents:
        """Return the events of a user of the log before `at`, in microseconds."""
        events, rows = self._histories(at).requests(np.array([user]))
        kind, value = self.grades.kind_of_event[rows], self.grades.value_of_event[rows]
        return GivenEvents(events.item, events.intensity, events.time, kind, value)

    def recommend(self, asked: Asked) -> Recommendations:
        """Return the lists of requests, best first, of at most k items each."""
        items = self.log.items.num_rows
        builder = replace(self.builder, top_k=max(self.builder.top_k, min(asked.k, items)))
        parts = []
        for start, stop in request_blocks(len(asked.requests), items):
            block = asked.block(start, stop)
            ((scores, _),) = builder.scored(self.ensemble, block.requests, self.limits(block))
            lists = builder.lists(scores.score, scores.item)[:, : asked.k]
            row, place = np.nonzero(lists >= 0)
            listed = replace(_rows(scores, row, lists[row, place]), rank=(place + 1).astype(np.int32))
            parts.append(_shifted(listed, start))
        return Recommendations.concatenated(parts)

    def score_pairs(self, asked: Asked, offsets: np.ndarray, item: np.ndarray) -> Recommendations:
        """Return scores and places of given items, in their order.

        Args:
            offsets: int64 [requests + 1] into `item`.
            item: int64.
        """
        parts = []
        for start, stop in request_blocks(len(asked.requests), self.log.items.num_rows):
            block = asked.block(start, stop)
            (scores,) = self.ensemble.score_catalogue(block.requests)
            rows = slice(offsets[start], offsets[stop])
            row = ragged.owner(offsets[start : stop + 1] - offsets[start])
            own = _rows(scores, row, item[rows])
            self.apply_rules(scores.score, block)
            permitted = scores.score[row, item[rows]] > -np.inf
            place = np.where(permitted, self.places(scores.score, row, item[rows]), 0).astype(np.int32)
            parts.append(_shifted(replace(own, request=row, rank=place), start))
        return Recommendations.concatenated(parts)

    def similar_items(self, item: int, k: int, permitted: np.ndarray | None = None) -> Recommendations:
        """Return the k items most like an item, by the users of both and, where these say nothing, by their texts.

        Scores are those of the scorer `item_item`, or of `content` where the decision has none or it finds no item. The
        item itself is left out; intensities are unknown, NaN.

        Raises:
            ArtifactError: the decision has no scorer that compares items.
        """
        named = [name for name in _SIMILARITIES if name in self.ensemble.scorers]
        if not named:
            raise ArtifactError(
                f"the decision has no scorer that compares items; add one of {', '.join(_SIMILARITIES)}"
            )
        given = GivenEvents(*(np.array([value]) for value in (item, 1.0, self.moment, -1, np.nan)))
        asked = Asked.of_given(np.array([NOBODY]), [given], np.array([self.moment]), k)
        for name in named:  # for an item without events, the users of both say nothing
            score = self.ensemble.scorers[name].score_catalogue(asked.requests).astype(np.float64)
            kept = self.rules.eligible & (score[0] > 0)
            kept[item] = False
            if kept.any():
                break
        score[:, ~(kept if permitted is None else kept & permitted)] = -np.inf
        top = top_k(score, k, self.builder.layout.tie_order)[0]
        found = top[score[0, top] > -np.inf]
        rank = np.arange(1, len(found) + 1, dtype=np.int32)
        unknown = np.full(len(found), np.nan, np.float32)
        return Recommendations(np.zeros(len(found), np.int64), found, rank, score[0, found], unknown, {})

    def interested_users(self, item: int, users: np.ndarray, at: int, k: int) -> Recommendations:
        """Return the k of some users, int64 rows of the log, with the highest score of an item.

        `request` of the result is the position among `users`.

        Scores are in standard deviations above the mean of a user's catalogue, so that they compare between users.
        Users whose list may not hold the item are left out.
        """
        asked = self.ask_users(users, at, k)
        one = ragged.from_lengths(np.ones(len(users), np.int64))
        pairs = self.score_pairs(asked, one, np.full(len(users), item))
        kept = np.flatnonzero(pairs.rank > 0)
        best = kept[np.argsort(-pairs.score[kept], kind="stable")[:k]]
        return pairs.rows(best)

    def limits(self, asked: Asked) -> ListLimits:
        """Return what the lists of requests may hold, by the rules and by their options."""
        rules, owned, permitted = self.rules, asked.requests, self.builder.permitted
        if asked.exclude is not None:
            rules = replace(rules, seen="out")
            owned = owned.entries(np.isin(asked.kind, list(asked.exclude)))
        if asked.permitted is not None:
            permitted = permitted.among(asked.permitted)
        return ListLimits(rules, owned, permitted, asked.choices)

    def apply_rules(self, score: np.ndarray, asked: Asked) -> None:
        """Apply the rules and the options of requests to scores, float64 [requests, items], in place."""
        self.limits(asked).apply(score)

    def places(self, score: np.ndarray, row: np.ndarray, item: np.ndarray) -> np.ndarray:
        """int64 [pairs]: the place of each pair's item in the whole list of its request, by score, then tie order."""
        order = self.builder.layout.tie_order
        places = np.empty(len(row), np.int64)
        for n, (r, i) in enumerate(zip(row, item, strict=True)):
            own = score[r, i]
            places[n] = 1 + np.count_nonzero(score[r] > own) + np.count_nonzero(order[score[r] == own] < order[i])
        return places


def _row_of(name: str, rows: Mapping[str, int], what: str) -> int:
    if name not in rows:
        raise DataError(f"no {what} '{name}' in the decision{suggestion(name, rows)}")
    return rows[name]


def _rows(scores: CatalogueScores, row: np.ndarray, column: np.ndarray) -> Recommendations:
    item, score = scores.items(row, column), scores.score[row, column]
    predicted, components = scores.predicted(row, item, score), scores.components(row, item)
    return Recommendations(row, item, np.zeros(len(row), np.int32), score, predicted, components)


def _shifted(part: Recommendations, start: int) -> Recommendations:
    return replace(part, request=part.request + start)


def open_recommender(directory: Path, settings: RankSettings, inputs: ScorerInputs, as_of: int | None) -> Recommender:
    """Open a decision for answers.

    Args:
        settings: its section `rank`, with the file of available items.
        inputs: of scorers that the artifact `model` stores.
        as_of: microseconds, the time of the lists; None: after the last event.

    Raises:
        ArtifactError: the decision is damaged, or lacks the system interestrec.
        DataError: see `load_rules`.
    """
    context = read_context(directory)
    log = open_log(directory, context.relevant_at)
    systems = read_systems(directory, inputs, OURS)
    rules = load_rules(log, settings, log.moment if as_of is None else as_of)
    layout = table_layout(log, systems.ensemble, rules, list(settings.components), context.seed)
    vectors = read_shared(directory, ITEM_VECTORS) if rules.diversity > 0 else None
    return Recommender(log, systems.ensemble, rules, list_builder(layout, rules, settings, vectors))
