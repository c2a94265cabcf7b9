"""The trained two-tower model of a `model` artifact, as the scorers of it read it; TensorFlow is not loaded for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from interestrec.core import ragged
from interestrec.core.deferred_import import np
from interestrec.core.errors import ArtifactError
from interestrec.scorers.requests import Requests

if TYPE_CHECKING:
    from interestrec.corpus.moments import Moments
    from interestrec.metrics.calibration import LogitCalibration
    from interestrec.model.task_logits import Calibrations
    from interestrec.model.two_tower_arrays import TwoTowerArrays
    from interestrec.model.user_arrays import UserHistories
    from interestrec.scorers.user_inputs import UserInputs

_CELLS = 1 << 22  # requests × items, or candidates × width of their texts, of one block


class TwoTowerModel:
    """The model with the vectors of all items of a corpus."""

    def __init__(
        self,
        model: TwoTowerArrays,
        user_inputs: UserInputs,
        moments: Moments | None,
        calibration: LogitCalibration,
        task_calibrations: Calibrations = MappingProxyType({}),
    ) -> None:
        """
        Args:
            moments: None: nothing is known of any moment.
            calibration: of logits of strength.
            task_calibrations: of the scores of tasks, by name.
        """
        from interestrec.model.catalogue_logits import CatalogueLogits
        from interestrec.model.pair_logits import PairLogits
        from interestrec.model.task_logits import task_parameters

        self.model = model
        self.items = model.items
        self.histories = user_inputs
        self.moments = moments
        self._item_moments: tuple[int, np.ndarray] | None = None  # by time
        self.calibration = calibration
        self.catalogue = CatalogueLogits(model)
        self.pairs = PairLogits(model)
        self.task_calibrations = task_calibrations
        self.tasks = {task.name: number for number, task in enumerate(model.config.tasks)}
        self.task_parameters = {
            task.name: task_parameters(task, model.tasks.thresholds(number), task_calibrations)
            for number, task in enumerate(model.config.tasks)
        }

    @property
    def block_length(self) -> int:
        """The number of requests for which a dense matrix of requests and items fits in memory."""
        return max(_CELLS // max(len(self.items.texts), 1), 1)

    def blocks(self, requests: Requests) -> Iterator[tuple[np.ndarray, Requests, np.ndarray]]:
        """Yield rows, int64, the requests at them, all of one time, and that time's `item_moments`.

        A block has at most `block_length` requests.
        """
        step = self.block_length
        times, of_time = np.unique(requests.at, return_inverse=True)
        order = np.argsort(of_time, kind="stable")
        bounds = np.searchsorted(of_time[order], np.arange(len(times) + 1))
        for number, time in enumerate(times):
            moments = self.item_moments(time)
            for start in range(bounds[number], bounds[number + 1], step):
                rows = order[start : min(start + step, bounds[number + 1])]
                yield rows, requests.rows(rows), moments

    def item_moments(self, time: int) -> np.ndarray:
        """Return the features of all items at one time, float32 [items, ITEM_FEATURES]; those of the last are kept."""
        from interestrec.corpus.moments import ITEM_FEATURES

        if self._item_moments is None or self._item_moments[0] != time:
            if self.moments is None:
                features = np.zeros((len(self.items.texts), ITEM_FEATURES), np.float32)
            else:
                features = self.moments.catalogue_features(int(time))
            features.flags.writeable = False
            self._item_moments = int(time), features
        return self._item_moments[1]

    def history_attention(self, requests: Requests) -> np.ndarray:
        """Return the weights of the user tower's attention, float32 [history entries]; see AttendsToHistory."""
        read = self.histories(requests)
        end = requests.offsets[1:]
        _, source = ragged.ranges(end - np.diff(read.offsets), end)
        found = np.zeros(len(requests.item), np.float32)
        found[source[read.intensity > 0]] = self.model.user(read).attention
        return found

    def catalogue_ranking(self, histories: UserHistories, moments: np.ndarray) -> np.ndarray:
        """Return what ranks all items: the logits of order, or `rank_by` of the configuration; float32 [users, items].

        Args:
            moments: of `item_moments`.
        """
        return self._ranking(
            lambda: self.catalogue.order(histories, moments), lambda task: self.catalogue.task(histories, task)
        )

    def candidate_ranking(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Return what ranks candidates, float32 [candidates], as `catalogue_ranking`; arguments as in
        `Scorer.score_candidates`.
        """
        return self._ranking(
            lambda: self.candidate_order(requests, offsets, item),
            lambda task: self.candidate_task(requests, offsets, item, task),
        )

    def _ranking(self, order: Callable[[], np.ndarray], score: Callable[[int], np.ndarray]) -> np.ndarray:
        """Return the logits of order, or what `rank_by` makes of the scores of tasks."""
        from interestrec.model.rank_formula import ORDER
        from interestrec.model.task_logits import ranking_scores

        config = self.model.config
        if not config.rank_by:
            return order()
        names = [name for name, _ in config.rank_by]
        scores = {name: score(self.tasks[name]) for name in names if name != ORDER}
        return ranking_scores(config, order() if ORDER in names else None, scores, self.task_parameters)

    def candidate_order(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Return logits of order, float32 [candidates]; arguments as in `Scorer.score_candidates`."""
        return self._by_blocks(self._order, requests, offsets, item)

    def candidate_task(self, requests: Requests, offsets: np.ndarray, item: np.ndarray, task: int) -> np.ndarray:
        """Return scores of a task, by its number, float32 [candidates]; the others as in `candidate_order`."""
        return self._by_blocks(
            lambda block, part, own: self.pairs.task(self.histories(block), part, own, task), requests, offsets, item
        )

    def expected(self, requests: Requests, offsets: np.ndarray, item: np.ndarray, task: str) -> np.ndarray:
        """Return what a task expects of candidates, float32 [candidates]; the others as in `candidate_order`."""
        from interestrec.model.tasks import TASKS

        number = self.tasks[task]
        scores = self.candidate_task(requests, offsets, item, number)
        kind = TASKS[self.model.config.tasks[number].kind]
        return np.exp(kind.log_expected(scores, self.task_parameters[task]))

    def candidate_strength(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Return logits of strength, float32 [candidates]; arguments as in `Scorer.score_candidates`."""
        return self._by_blocks(self._strength, requests, offsets, item)

    def _by_blocks(
        self,
        logits: Callable[[Requests, np.ndarray, np.ndarray], np.ndarray],
        requests: Requests,
        offsets: np.ndarray,
        item: np.ndarray,
    ) -> np.ndarray:
        """Return `logits` of candidates, computed for as many requests at a time as fit in memory."""
        found = np.zeros(len(item), np.float32)
        most = max(_CELLS // self.model.config.text_width, 1)
        start = 0
        while start < len(requests):
            stop = max(int(np.searchsorted(offsets, offsets[start] + most, side="right")) - 1, start + 1)
            stop = min(stop, len(requests))
            own = slice(offsets[start], offsets[stop])
            if own.stop > own.start:
                part = offsets[start : stop + 1] - offsets[start]
                found[own] = logits(requests.block(start, stop), part, item[own])
            start = stop
        return found

    def _order(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        from interestrec.corpus.moments import ITEM_FEATURES

        if self.moments is None:
            moments = np.zeros((len(item), ITEM_FEATURES), np.float32)
        else:
            moments = self.moments.item_features(item, ragged.repeat(offsets, requests.at))
        return self.pairs.order(self.histories(requests), offsets, item, moments)

    def _strength(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        return self.pairs.strength(self.histories(requests), offsets, item)

    @property
    def needs_encoder(self) -> bool:
        """Whether the model represents users by texts, which the encoder must read: `arrays` cannot store that."""
        return self.model.config.user_text is not None

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the model without its moments as arrays by name, the same objects at every call.

        Raises:
            ArtifactError: the model needs an encoder.
        """
        if self.needs_encoder:
            raise ArtifactError("a model that represents users by texts cannot be stored without its encoder")
        return self._arrays

    @cached_property
    def _arrays(self) -> dict[str, np.ndarray]:
        from interestrec.scorers.user_inputs import ItemUserInputs

        assert isinstance(self.histories, ItemUserInputs)
        calibration = {"calibration": np.array([self.calibration.scale, self.calibration.shift])}
        if self.calibration.knots is not None:
            calibration["knots"] = np.array([self.calibration.knots.score, self.calibration.knots.intensity])
        return {
            "config": np.frombuffer(json.dumps(self.model.config.values()).encode(), np.uint8),
            **{f"weights.{name}": array for name, array in self.model.weights.items()},
            **{f"items.{name}": array for name, array in self.items._asdict().items()},
            "users": self.histories.users.features,
            **calibration,
            **({"tasks": np.frombuffer(json.dumps(self.task_calibrations).encode(), np.uint8)} if self.tasks else {}),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], moments: Moments | None) -> Self:
        """Restore the model of `arrays`."""
        from interestrec.metrics.calibration import Isotonic, LogitCalibration
        from interestrec.model.two_tower_arrays import TwoTowerArrays
        from interestrec.model.two_tower_config import ItemArrays, TwoTowerConfig
        from interestrec.scorers.user_inputs import ItemUserInputs, KnownUsers

        config = TwoTowerConfig.from_json(json.loads(arrays["config"].tobytes()))
        items = ItemArrays(*(arrays[f"items.{name}"] for name in ItemArrays._fields))
        weights = {name.removeprefix("weights."): array for name, array in arrays.items() if "weights." in name}
        knots = Isotonic(*arrays["knots"]) if "knots" in arrays else None
        users = ItemUserInputs(items, config.max_history, KnownUsers(arrays["users"], moments))
        scale, shift = arrays["calibration"].tolist()
        tasks = json.loads(arrays["tasks"].tobytes()) if "tasks" in arrays else {}
        model = TwoTowerArrays(config, weights, items)
        return cls(model, users, moments, LogitCalibration(scale, shift, knots), tasks)


def mean_of_models(found: Sequence[np.ndarray]) -> np.ndarray:
    """Return the mean of arrays of one shape, added one after another whatever the shape is."""
    total = found[0]
    for other in found[1:]:
        total = total + other
    return total / np.float32(len(found))


def model_arrays(models: Sequence[TwoTowerModel]) -> dict[str, np.ndarray]:
    """Return models of one corpus as arrays; their moments are stored once.

    Raises:
        ArtifactError: a model needs an encoder.
    """
    moments = models[0].moments
    named = {f"model_{n}.{name}": array for n, model in enumerate(models) for name, array in model.arrays().items()}
    return named | ({} if moments is None else {f"moments.{name}": array for name, array in moments.arrays().items()})


def restored_models(arrays: Mapping[str, np.ndarray]) -> list[TwoTowerModel]:
    """Restore the models of `model_arrays`."""
    from interestrec.corpus.moments import Moments

    def part(prefix: str) -> dict[str, np.ndarray]:
        return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}

    known = part("moments.")
    moments = Moments.from_arrays(known) if known else None
    models: list[TwoTowerModel] = []
    while own := part(f"model_{len(models)}."):
        models.append(TwoTowerModel.from_arrays(own, moments))
    return models
