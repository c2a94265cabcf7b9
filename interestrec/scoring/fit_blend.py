"""Blend weights, fitted on the valid_blend half of the validation split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from interestrec.core import ragged
from interestrec.corpus.store import Corpus
from interestrec.io.schemas import OURS
from interestrec.metrics import ranked_lists, ranking
from interestrec.metrics.topk import top_k
from interestrec.scorers import queries
from interestrec.scorers.requests import Scorer, request_blocks
from interestrec.scoring.blend import standardise_lists, standardise_rows
from interestrec.scoring.segments import BlendLists, SegmentBlend, SegmentChoice, apply_power, choose, uniform

_USERS = 2000  # whose catalogue lists weights are fitted on
_POWERS = (1.0, 0.5)
_FIRST = 50  # of each component; on Online Retail's valid_blend better than 20, 100, 200 and than all items


@dataclass(frozen=True)
class BlendFit:
    """Fitted weights and, of each component alone and of the blend, the mean metric on the same lists."""

    choice: SegmentChoice
    metric: str
    quality: dict[str, float]


def of_impressions(corpus: Corpus, scores: Sequence[np.ndarray]) -> BlendLists:
    """The valid_blend impressions of at least two candidates as lists to fit on.

    Args:
        scores: of each component those of all candidates of the validation impressions of valid_blend.
    """
    impression = queries.valid_impressions(corpus, select=False)
    asked = queries.impression_queries(corpus, impression)
    features = np.stack([standardise_lists(score, asked.offsets) for score in scores], axis=1)
    everything = BlendLists(
        features=features,
        offsets=asked.offsets,
        relevant=corpus.relevant(corpus.impressions.label[asked.rows]),
        cold=corpus.cold_items(queries.VALID)[corpus.impressions.item[asked.rows]],
        new=asked.without_history,
        contested=np.ones(len(features), dtype=bool),
    )
    return everything.select(np.diff(asked.offsets) > 1)


def of_catalogue(corpus: Corpus, components: Mapping[str, Scorer], exclude_seen: bool, seed: int) -> BlendLists:
    """The relevant validation items of users in valid_blend among all known items, as lists to fit on.

    Of the others a list holds what any component has among its first 50: what the blend's first ones are chosen from.
    Users beyond 2,000 are left out at random.
    """
    known, cold = queries.known_items(corpus), corpus.cold_items(queries.VALID)
    users = queries.valid_users(corpus, select=False, most=_USERS, seed=seed)
    requests = queries.catalogue_requests(corpus, queries.VALID, users)
    truth = queries.request_truth(corpus, requests, queries.VALID)
    liked = corpus.relevant(truth.label)
    tie_order = np.random.default_rng(seed).permutation(corpus.items.num_rows)
    made = [_Block.empty(len(components))]
    for start, stop in request_blocks(len(requests), corpus.items.num_rows):
        block = requests.block(start, stop)
        wanted = truth.matrix(liked, start, stop, len(known))
        eligible = np.repeat(known[None, :], len(block), axis=0)
        if exclude_seen:
            eligible[block.owner, block.item] = False
        parts = [standardise_rows(scorer.score_catalogue(block), known) for scorer in components.values()]
        made.append(_Block.of(parts, eligible, wanted, tie_order))
    size = np.concatenate([block.size for block in made])
    filled = size > 0
    return BlendLists(
        features=np.concatenate([block.features for block in made]),
        offsets=ragged.from_lengths(size[filled]),
        relevant=np.concatenate([block.relevant for block in made]),
        cold=cold[np.concatenate([block.item for block in made])],
        new=(np.diff(requests.offsets) == 0)[filled],
        contested=np.concatenate([block.contested for block in made]),
    )


class _Block(NamedTuple):
    """Rows of some lists."""

    features: np.ndarray  # float64 [rows, components]
    size: np.ndarray  # int64 [lists]
    relevant: np.ndarray  # bool [rows]
    item: np.ndarray  # int64 [rows]
    contested: np.ndarray  # bool [rows]

    @classmethod
    def empty(cls, components: int) -> "_Block":
        none, no = np.zeros(0, np.int64), np.zeros(0, dtype=bool)
        return cls(np.zeros((0, components)), none, no, none, no)

    @classmethod
    def of(
        cls, parts: Sequence[np.ndarray], eligible: np.ndarray, wanted: np.ndarray, tie_order: np.ndarray
    ) -> "_Block":
        """From components [requests, items], what may be listed, and what was liked."""
        contested = np.zeros(eligible.shape, dtype=bool)
        for part in parts:
            first = top_k(np.where(eligible, part, -np.inf), _FIRST, tie_order)
            contested[np.arange(len(part))[:, None], first] = True
        contested &= eligible
        row, item = np.nonzero(contested | (wanted & eligible))
        return cls(
            features=np.stack([part[row, item] for part in parts], axis=1),
            size=np.bincount(row, minlength=len(eligible)),
            relevant=wanted[row, item],
            item=item,
            contested=contested[row, item],
        )


def fit(names: list[str], given: BlendLists, metric: str, fixed: np.ndarray | None) -> BlendFit:
    """Weights by segments, and how well each component and the blend rank the same lists.

    Scores enter as they are or by their square roots, whichever ranks these lists better: EASE's and item-item's few
    sure items are far above all others, and on some logs that says less than it seems to. Where one component alone
    ranks them better than any blend, it decides alone.

    Args:
        fixed: float64 [components], weights that are not to be fitted.
    """
    if fixed is not None:
        choice = SegmentChoice(uniform(fixed), "none", len(given.new))
        return BlendFit(choice, metric, quality(names, given, metric, choice.blend))
    fits = [_learned(names, given, metric, power) for power in _POWERS]
    best = max(fits, key=lambda fitted: fitted.quality.get(OURS, 0.0))
    alone = {name: best.quality[name] for name in names if name in best.quality}
    if not alone or max(alone.values()) <= best.quality[OURS]:
        return best
    single = np.array([float(name == max(alone, key=alone.__getitem__)) for name in names])
    choice = SegmentChoice(uniform(single), "one component", best.choice.lists, best.choice.held_out)
    return BlendFit(choice, metric, quality(names, given, metric, choice.blend))


def _learned(names: list[str], given: BlendLists, metric: str, power: float) -> BlendFit:
    contested = given.contested_only()
    choice = choose(replace(contested, features=apply_power(contested.features, power)))
    choice = replace(choice, blend=replace(choice.blend, power=power))
    return BlendFit(choice, metric, quality(names, given, metric, choice.blend))


def quality(names: list[str], given: BlendLists, metric: str, blend: SegmentBlend) -> dict[str, float]:
    """The mean metric of each component alone and of the blend, under its name; without any value it is left out."""
    columns = {name: given.features[:, index] for index, name in enumerate(names)}
    columns[OURS] = given.scores(blend)
    found = {}
    for name, score in columns.items():
        ranked = ranked_lists.rank_lists(given.offsets, score, given.relevant, given.relevant.astype(np.float64))
        values = ranking.metric(metric)(ranked)
        if not np.isnan(values).all():
            found[name] = round(float(np.nanmean(values)), 6)
    return found
