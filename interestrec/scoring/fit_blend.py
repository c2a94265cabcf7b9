"""Blend weights, fitted on the valid_blend half of the validation split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from interestrec.corpus.store import Corpus
from interestrec.metrics import lists, ranking
from interestrec.scoring import histories
from interestrec.scoring.blend import standardise_lists, standardise_rows
from interestrec.scoring.blocks import blocks
from interestrec.scoring.requests import Scorer
from interestrec.scoring.segments import Blend, Choice, Lists, choose, uniform

_CELLS = 1 << 24  # rows × components of the catalogue's features held at one time
_OTHERS = 1000  # not relevant items of a catalogue's list that weights are fitted on, drawn at random


@dataclass(frozen=True)
class BlendFit:
    """Fitted weights and, of each component alone and of the blend, the mean metric on the same lists."""

    choice: Choice
    metric: str
    quality: dict[str, float]


def blend_impressions(corpus: Corpus) -> np.ndarray:
    """int64: rows of the validation impressions whose user is in valid_blend."""
    shown = corpus.impressions
    return np.flatnonzero((shown.split == histories.VALID) & ~corpus.in_valid_select[shown.user])


def of_impressions(corpus: Corpus, scores: Sequence[np.ndarray]) -> Lists:
    """The valid_blend impressions of at least two candidates as lists to fit on.

    Args:
        scores: of each component those of all blend_impressions' candidates.
    """
    impression = blend_impressions(corpus)
    asked = histories.of_impressions(corpus, impression)
    features = np.stack([standardise_lists(score, asked.offsets) for score in scores], axis=1)
    everything = Lists(
        features=features,
        offsets=asked.offsets,
        relevant=corpus.relevant(corpus.impressions.label[asked.rows]),
        cold=corpus.cold_items(histories.VALID)[corpus.impressions.item[asked.rows]],
        new=asked.without_history,
    )
    return everything.select(np.diff(asked.offsets) > 1)


def of_catalogue(corpus: Corpus, components: Mapping[str, Scorer], exclude_seen: bool, seed: int) -> Lists:
    """The relevant validation items of users in valid_blend among all known items, as lists to fit on.

    Users beyond what memory holds are left out at random.
    """
    known, cold = histories.known_items(corpus), corpus.cold_items(histories.VALID)
    users = _within_memory(corpus, ~corpus.in_valid_select, int(known.sum()) * len(components), seed)
    requests = histories.of_catalogue(corpus, histories.VALID, users)
    truth = histories.truth_of(corpus, requests, histories.VALID)
    features, sizes, relevant, column = [np.zeros((0, len(components)))], [], [np.zeros(0, bool)], [np.zeros(0, int)]
    for start, stop in blocks(len(requests), corpus.items.num_rows):
        block = requests.block(start, stop)
        eligible = np.repeat(known[None, :], len(block), axis=0)
        if exclude_seen:
            eligible[np.repeat(np.arange(len(block)), np.diff(block.offsets)), block.item] = False
        wanted = np.zeros(eligible.shape, dtype=bool)
        here = (truth.request >= start) & (truth.request < stop) & corpus.relevant(truth.label)
        wanted[truth.request[here] - start, truth.item[here]] = True
        parts = [standardise_rows(scorer.score_catalogue(block), known)[eligible] for scorer in components.values()]
        features.append(np.stack(parts, axis=1))
        sizes.append(eligible.sum(axis=1))
        relevant.append(wanted[eligible])
        column.append(np.nonzero(eligible)[1])
    size = np.concatenate([np.zeros(0, np.int64), *sizes])
    filled = size > 0
    return Lists(
        features=np.concatenate(features),
        offsets=np.concatenate([[0], np.cumsum(size[filled])]).astype(np.int64),
        relevant=np.concatenate(relevant),
        cold=cold[np.concatenate(column)],
        new=(np.diff(requests.offsets) == 0)[filled],
    )


def fit(names: list[str], given: Lists, metric: str, fixed: np.ndarray | None, seed: int) -> BlendFit:
    """Weights by segments, and how well each component and the blend rank the same lists.

    Args:
        fixed: float64 [components], weights that are not to be fitted.
    """
    choice = choose(_thinned(given, seed)) if fixed is None else Choice(uniform(fixed), "none", len(given.new))
    return BlendFit(choice, metric, quality(names, given, metric, choice.blend))


def quality(names: list[str], given: Lists, metric: str, blend: Blend) -> dict[str, float]:
    """The mean metric of each component alone and of the blend, under its name; without any value it is left out."""
    columns = {name: given.features[:, index] for index, name in enumerate(names)}
    columns["interestrec"] = given.scores(blend)
    found = {}
    for name, score in columns.items():
        ranked = lists.ranked(given.offsets, score, given.relevant, given.relevant.astype(np.float64))
        values = ranking.metric(metric)(ranked)
        if not np.isnan(values).all():
            found[name] = round(float(np.nanmean(values)), 6)
    return found


def _thinned(given: Lists, seed: int) -> Lists:
    """Of long lists a uniform sample of the rows that are not relevant, which leaves the logit's weights unbiased."""
    size = np.diff(given.offsets)
    owner = np.repeat(np.arange(len(size)), size)
    draws = np.random.default_rng(seed).random(len(owner))
    kept = given.relevant | (draws * size[owner] < _OTHERS)
    kept_size = np.bincount(owner[kept], minlength=len(size))
    offsets = np.concatenate([[0], np.cumsum(kept_size[kept_size > 0])])
    return Lists(given.features[kept], offsets, given.relevant[kept], given.cold[kept], given.new[kept_size > 0])


def _within_memory(corpus: Corpus, users: np.ndarray, cells_per_user: int, seed: int) -> np.ndarray:
    """The users with a validation impression, thinned at random to as many as fit."""
    shown = corpus.impressions
    asking = np.unique(shown.user[shown.split == histories.VALID])
    asking = asking[users[asking]]
    most = max(1, _CELLS // max(cells_per_user, 1))
    chosen = np.zeros(len(users), dtype=bool)
    chosen[np.random.default_rng(seed).permutation(asking)[:most]] = True
    return chosen
