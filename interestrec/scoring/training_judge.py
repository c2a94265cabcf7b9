"""The judge of training: lists of validation users over the catalogue, as the decision is judged by them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from interestrec.corpus.moments import Moments
from interestrec.corpus.store import Corpus
from interestrec.metrics.calibration import LogitCalibration
from interestrec.model.two_tower import TwoTower
from interestrec.model.two_tower_arrays import TwoTowerArrays
from interestrec.model.two_tower_config import ItemArrays
from interestrec.scorers.intensity import Intensity
from interestrec.scorers.two_tower_model import TwoTowerModel
from interestrec.scorers.user_inputs import ItemUserInputs, KnownUsers
from interestrec.scoring.catalogue_lists import CatalogueLists
from interestrec.scoring.fit_systems import validation_lists
from interestrec.scoring.rank_settings import RankSettings

_USERS = 1000  # whose lists are scored after every epoch; the standard error of their ndcg@10 is about 0.005

Judge = Callable[[TwoTower, ItemArrays], float | None]


def training_judge(corpus: Corpus, settings: RankSettings, user_features: np.ndarray, seed: int) -> Judge:
    """Return a function from a model and its items to the mean ndcg@10 of lists of valid_select users.

    It returns None where no list has a relevant item, or where the model represents users by texts.

    Args:
        user_features: int32 [users, columns], packed.
    """
    lists = _sample(validation_lists(corpus, settings, select=True, seed=seed))
    users = KnownUsers(user_features, Moments.of(corpus))

    def judge(model: TwoTower, items: ItemArrays) -> float | None:
        if model.config.user_text is not None or not len(lists):
            return None
        histories = ItemUserInputs(items, model.config.max_history, users)
        arrays = TwoTowerArrays(model.config, model.export_weights(), items)
        scorer = Intensity([TwoTowerModel(arrays, histories, users.moments, LogitCalibration())])
        found = lists.scorer_values(scorer)
        return float(np.nanmean(found)) if np.isfinite(found).any() else None

    return judge


def _sample(lists: CatalogueLists) -> CatalogueLists:
    """Return the lists of the first users in a sample that was drawn at random."""
    if len(lists) <= _USERS:
        return lists
    chosen = np.sort(np.random.default_rng(0).permutation(len(lists))[:_USERS])
    place = np.full(len(lists), -1)
    place[chosen] = np.arange(len(chosen))
    kept = place[lists.truth.request] >= 0
    truth = lists.truth
    return replace(
        lists,
        requests=lists.requests.rows(chosen),
        owned=lists.owned.rows(chosen),
        truth=replace(
            truth,
            request=place[truth.request[kept]],
            item=truth.item[kept],
            label=truth.label[kept],
            seen=truth.seen[kept],
        ),
        time=lists.time[chosen],
        stand_in=lists.stand_in[chosen],
    )
