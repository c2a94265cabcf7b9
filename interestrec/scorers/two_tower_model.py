"""The trained two-tower model of a `model` artifact, as the scorers of it read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from interestrec.core import ragged
from interestrec.core.deferred_import import np
from interestrec.core.errors import ArtifactError
from interestrec.scorers.requests import Requests

if TYPE_CHECKING:
    from interestrec.corpus.moments import Moments
    from interestrec.metrics.calibration import LogitCalibration
    from interestrec.model.head import CandidateSide
    from interestrec.model.two_tower import History, ItemArrays, TwoTower
    from interestrec.scorers.scorer_inputs import ScorerInputs
    from interestrec.scorers.user_inputs import UserInputs

_CELLS = 1 << 22  # requests × items, or × history × candidates, of one block


class TwoTowerModel:
    """The model with the vectors of all items of a corpus."""

    def __init__(
        self,
        model: TwoTower,
        items: ItemArrays,
        user_inputs: UserInputs,
        moments: Moments | None,
        calibration: LogitCalibration,
    ) -> None:
        """
        Args:
            moments: None: nothing is known of any moment.
            calibration: of logits of strength.
        """
        from interestrec.model.catalogue_logits import CatalogueLogits

        self.model = model
        self.items = items
        self.histories = user_inputs
        self.moments = moments
        self.calibration = calibration
        self.catalogue = CatalogueLogits(model, items)

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
        """Return the features of all items at one time, float32 [items, ITEM_FEATURES]."""
        from interestrec.corpus.moments import ITEM_FEATURES

        if self.moments is None:
            return np.zeros((len(self.items.texts), ITEM_FEATURES), np.float32)
        return self.moments.catalogue_features(int(time))

    def candidate_order(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Return logits of order, float32 [candidates]; arguments as in `Scorer.score_candidates`."""
        return self._by_blocks(self.order, requests, offsets, item)

    def candidate_strength(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Return logits of strength, float32 [candidates]; arguments as in `Scorer.score_candidates`."""
        return self._by_blocks(self.strength, requests, offsets, item)

    def _by_blocks(
        self,
        logits: Callable[[Requests, np.ndarray], np.ndarray],
        requests: Requests,
        offsets: np.ndarray,
        item: np.ndarray,
    ) -> np.ndarray:
        """Return `logits` of candidates, which `order` or `strength` computes for as many requests as fit in memory."""
        found = np.zeros(len(item), np.float32)
        if len(item) == 0:
            return found
        width = max(int(np.diff(offsets).max(initial=0)), 1)
        step = max(_CELLS // (self.histories.length * width), 1)
        for start in range(0, len(requests), step):
            block = requests.block(start, start + step)
            stop = start + len(block)
            source, inside = ragged.padded(offsets[start:stop], offsets[start + 1 : stop + 1], width)
            found[offsets[start] : offsets[stop]] = logits(block, np.where(inside, item[source], 0))[inside]
        return found

    def order(self, requests: Requests, candidates: np.ndarray) -> np.ndarray:
        """Return the logits of order, float32 [requests, candidates], of items at int [requests, candidates]."""
        from interestrec.corpus.moments import ITEM_FEATURES
        from interestrec.model.backend import tf

        if self.moments is None:
            moments = np.zeros((*candidates.shape, ITEM_FEATURES), np.float32)
        else:
            at = np.broadcast_to(requests.at[:, None], candidates.shape)
            moments = self.moments.item_features(candidates.ravel(), at.ravel()).reshape(*candidates.shape, -1)
        return self.model.compiled.order(*self._sides(requests, candidates), tf.constant(moments)).numpy()

    def strength(self, requests: Requests, candidates: np.ndarray) -> np.ndarray:
        """Return the logits of strength; argument and value as in `order`."""
        return self.model.compiled.strength(*self._sides(requests, candidates)).numpy()

    def _sides(self, requests: Requests, candidates: np.ndarray) -> tuple[History, CandidateSide]:
        from interestrec.model.backend import tf
        from interestrec.model.two_tower import History, candidate_side

        history = History(*(tf.constant(part) for part in self.histories(requests)))
        return history, candidate_side(self.items, candidates)


def open_models(path: Path, inputs: ScorerInputs | None = None) -> list[TwoTowerModel]:
    """Load the models of a `model` artifact, one per seed; see `open_model`."""
    from interestrec.io import artifact_files

    members = sorted(path.glob(artifact_files.MEMBER.format("*")), key=lambda member: int(member.name.split("-")[1]))
    return [open_model(member, inputs) for member in (path, *members)]


def open_model(path: Path, inputs: ScorerInputs | None = None) -> TwoTowerModel:
    """Load the model of a `model` artifact.

    Args:
        inputs: with the corpus of the requests; without it nothing is known of any moment. Required if the model
            represents users by texts.

    Raises:
        InputMissingError: a file of an artifact is missing.
        ArtifactError: a file of an artifact is invalid or does not match the model.
    """
    from interestrec.corpus.moments import Moments
    from interestrec.io import artifact_files, files
    from interestrec.model.two_tower import ItemArrays
    from interestrec.model.two_tower_files import load_two_tower
    from interestrec.scorers.user_inputs import Users, user_inputs

    arrays = files.read_safetensors(path / artifact_files.ITEM_VECTORS)
    model = load_two_tower(path)
    _require_fitting(arrays, model, path)
    items = ItemArrays(*(arrays[name] for name in ("item", "entry", "candidate", "category", "price")))
    moments = None if inputs is None else Moments.of(inputs.corpus)
    histories = user_inputs(model, items, Users(arrays["user"], moments), inputs)
    return TwoTowerModel(model, items, histories, moments, read_calibration(path))


def read_calibration(path: Path) -> LogitCalibration:
    """Read the calibration of a `model` artifact's logits of strength.

    Raises:
        ArtifactError: the file is not a calibration.
    """
    from interestrec.io import artifact_files, files
    from interestrec.metrics.calibration import LogitCalibration

    file = path / artifact_files.CALIBRATION
    try:
        calibration = LogitCalibration.of(files.read_json(file))
        if not np.isfinite([calibration.scale, calibration.shift]).all():
            raise ValueError("not finite")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(f"{file}: not a valid calibration ({error}); run finetune again") from error
    return calibration


def _require_fitting(arrays: dict[str, np.ndarray], model: TwoTower, path: Path) -> None:
    """Raise an ArtifactError unless the arrays of items and users have equal lengths and the widths of the model."""
    config, nothing = model.config, np.zeros(0)
    texts, rows = arrays.get("item", nothing), len(arrays.get("item", nothing))
    columns = sum(shape.columns + shape.dense for shape in config.user_features)
    expected = {
        "item": (rows, config.text_width),
        "entry": (rows, config.width),
        "candidate": (rows, config.width),
        "category": (rows, config.levels),
        "price": (rows,),
        "user": (len(arrays.get("user", nothing)), columns),
    }
    kinds = {"category": "i", "user": "i"}
    right = all(
        arrays.get(name, nothing).shape == shape and arrays.get(name, nothing).dtype.kind == kinds.get(name, "f")
        for name, shape in expected.items()
    )
    if not right or texts.dtype != np.float32 or not np.isfinite(texts).all():
        raise ArtifactError(f"{path / 'item_vectors.safetensors'}: does not match the model; run finetune again")
