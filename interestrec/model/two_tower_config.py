"""What the two-tower model is built of and what it reads of items, without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from interestrec.core.deferred_import import np
from interestrec.corpus.feature_codes import FeatureShape
from interestrec.model.modality import Modality

Similarity: TypeAlias = Literal["history", "user"]
# Left out of JSON values where a model has none, as before there were any.
_RARE_KEYS = ("modalities", "tasks", "experts", "rank_by")


@dataclass(frozen=True)
class TextUser:
    """The `text` user tower: the encoder reads the texts of a history's items as one text, latest first.

    These settings reproduce the text for the encoder that the model was trained with.
    """

    tokens: int  # maximum of a text, special tokens included
    fields: tuple[tuple[str, int], ...]  # of an item's text: name and maximum number of tokens
    pooling: str
    precision: str

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TextUser:
        """Read the JSON values of a model's configuration."""
        return cls(**{**values, "fields": tuple((name, tokens) for name, tokens in values["fields"])})


@dataclass(frozen=True)
class ModelTask:
    """A task of the model: what its head predicts."""

    name: str
    kind: str  # of model.tasks.TASKS
    label: str  # expression over the columns of events
    negatives: bool = False  # whether sampled negatives count as label 0
    parameters: Mapping[str, Any] = field(default_factory=dict)  # fitted on train labels; JSON values

    @property
    def structure(self) -> tuple[Any, ...]:
        """What determines shape and meaning of the task's weights."""
        return self.name, self.kind, tuple(self.parameters.get("levels", ()))

    @property
    def thresholds(self) -> int:
        """Number of the task's thresholds."""
        return max(len(self.parameters.get("levels", ())) - 1, 0)


@dataclass(frozen=True)
class TwoTowerConfig:
    """Everything needed to build the model before its weights are loaded."""

    text_width: int  # of the encoders' vectors side by side
    width: int  # of the fused vectors
    hidden: tuple[int, ...]  # of the MLP
    levels: int  # of the category path
    max_history: int
    dropout: float
    attributes: tuple[FeatureShape, ...]  # of items
    user_features: tuple[FeatureShape, ...] = ()
    blocks: int = 0  # transformer blocks of the user tower
    similarity: Similarity = "history"  # the head compares a candidate's text with it
    user_text: TextUser | None = None  # how a history becomes a text; None = users are the items of their histories
    modalities: tuple[Modality, ...] = ()  # that the encoders' vectors consist of, if there are several
    tasks: tuple[ModelTask, ...] = ()
    experts: int = 0  # between the user tower and the tasks
    rank_by: tuple[tuple[str, float], ...] = ()  # names and powers, see model/rank_formula.py; () = the logit of order

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TwoTowerConfig:
        """Read the JSON values of a model's configuration.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: they are not those of a configuration.
        """
        read = {
            **values,
            "hidden": tuple(values["hidden"]),
            "attributes": tuple(FeatureShape.of(*shape) for shape in values["attributes"]),
            "user_features": tuple(FeatureShape.of(*shape) for shape in values["user_features"]),
            "modalities": tuple(Modality(*modality) for modality in values.get("modalities", ())),
        }
        if read.get("user_text") is not None:
            read["user_text"] = TextUser.from_json(read["user_text"])
        read["tasks"] = tuple(ModelTask(**task) for task in values.get("tasks", ()))
        read["rank_by"] = tuple((str(name), float(power)) for name, power in values.get("rank_by", ()))
        return cls(**read)

    def values(self) -> dict[str, Any]:
        """Return the JSON values of `from_json`; a model without tasks or modalities has none of their keys."""
        found = asdict(self)
        return {name: value for name, value in found.items() if name not in _RARE_KEYS or value}


class ItemCodes(NamedTuple):
    """What the model reads of all items besides their texts."""

    attributes: np.ndarray  # int32 [items, columns], the features that the towers read, packed
    categories: np.ndarray  # int32 [items, levels], -1 if an item has none; the head matches equal codes
    prices: np.ndarray  # float32 [items], standardised log prices, NaN if an item has none


class ItemArrays(NamedTuple):
    """Items as the head reads them: arrays, or tensors in training."""

    texts: Any  # float32 [items, text width]
    entries: Any  # float32 [items, width], as entries of histories
    candidates: Any  # float32 [items, width]
    categories: Any  # int32 [items, levels]
    prices: Any  # float32 [items]
