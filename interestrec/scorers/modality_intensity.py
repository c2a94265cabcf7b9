"""The component `intensity` as it ranks where every item has one modality alone, or lacks one.

What each modality adds to a trained model is read off these systems: nothing is trained again, since the model has
learned to work without each modality (model/modality_gates.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from interestrec.core.deferred_import import np
from interestrec.core.modality_names import MODALITY, NO_MODALITY
from interestrec.scorers import intensity
from interestrec.scorers.definition import ScorerDefinition
from interestrec.scorers.intensity import Intensity

if TYPE_CHECKING:
    from interestrec.model.two_tower_config import ItemArrays
    from interestrec.scorers.scorer_inputs import ScorerInputs
    from interestrec.scorers.two_tower_model import TwoTowerModel

_ITEMS_PER_BLOCK = 1 << 14  # whose intermediate values are in memory together


def is_modality_name(name: str) -> bool:
    """Return whether a scorer's name is one of `modality_names`."""
    return name.startswith((MODALITY, NO_MODALITY))


def modality_names(names: Sequence[str]) -> list[str]:
    """Return the names of the scorers of a model's modalities: each alone and, of three and more, each left out."""
    left_out = names if len(names) > 2 else []  # of two, the other one is then alone
    return [f"{MODALITY}{name}" for name in names] + [f"{NO_MODALITY}{name}" for name in left_out]


def definition(name: str) -> ScorerDefinition:
    """Return the definition of a scorer of `modality_names`."""

    def fit(inputs: ScorerInputs) -> Intensity:
        from interestrec.scorers.model_opening import member_paths

        pairs = zip(inputs.two_towers, member_paths(inputs.model), strict=True)
        return Intensity([_with_modalities(model, path, name) for model, path in pairs])

    return replace(intensity.DEFINITION, fit=fit, needs=(), component=None)


def _with_modalities(model: TwoTowerModel, path: Path, name: str) -> TwoTowerModel:
    """Return the model over the same items with the vectors of some modalities set to 0."""
    from interestrec.io import artifact_files, files
    from interestrec.model.two_tower_arrays import TwoTowerArrays
    from interestrec.scorers.two_tower_model import TwoTowerModel
    from interestrec.scorers.user_inputs import ItemUserInputs

    config, kept = model.model.config, []
    for modality in config.modalities:
        named = name.removeprefix(MODALITY).removeprefix(NO_MODALITY) == modality.name
        kept.append(np.full(modality.width, named == name.startswith(MODALITY), np.float32))
    vectors = files.read_safetensors(path / artifact_files.ITEM_VECTORS)["modal"]
    items = _without(model.items, vectors, np.concatenate(kept), path)
    histories = model.histories
    assert isinstance(histories, ItemUserInputs)
    users = ItemUserInputs(items, config.max_history, histories.users)
    arrays = TwoTowerArrays(config, model.model.weights, items)
    return TwoTowerModel(arrays, users, model.moments, model.calibration, model.task_calibrations)


def _without(items: ItemArrays, vectors: np.ndarray, kept: np.ndarray, path: Path) -> ItemArrays:
    """Return items whose fused vectors keep what their features add; `kept` is 0 or 1 per column of `vectors`."""
    from interestrec.model.backend import tf
    from interestrec.model.two_tower_files import load_two_tower

    tower = load_two_tower(path)
    texts, entries, candidates = (np.empty_like(part) for part in (items.texts, items.entries, items.candidates))
    for start in range(0, len(vectors), _ITEMS_PER_BLOCK):
        rows = slice(start, start + _ITEMS_PER_BLOCK)
        block = tower.item_tower(tf.constant(vectors[rows] * kept))
        before, after = tower.fused_items.of_texts(tf.constant(items.texts[rows])), tower.fused_items.of_texts(block)
        texts[rows] = block
        entries[rows] = items.entries[rows] + (after[0] - before[0])
        candidates[rows] = items.candidates[rows] + (after[1] - before[1])
    return items._replace(texts=texts, entries=entries, candidates=candidates)
