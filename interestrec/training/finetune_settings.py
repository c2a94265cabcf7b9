"""The `finetune` section: how the intensity model is trained."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, create_model, model_validator

from interestrec.core.section import (
    AboveZero,
    BelowOne,
    Choice,
    Count,
    CountOrZero,
    Fraction,
    NotNegative,
    Positive,
    Section,
    require_keys_of_choice,
    with_keys_of,
)
from interestrec.metrics.calibrations import CALIBRATIONS
from interestrec.model.losses import LOSSES
from interestrec.model.rank_formula import parse_formula
from interestrec.model.user_towers import USER_TOWERS
from interestrec.training.negatives import NEGATIVE_SOURCES
from interestrec.training.schedule import DECAYS
from interestrec.training.task_settings import TaskSettings, single_tasks


class LossWeights(Section):
    """Weights of the losses that are added up; if the section is present, losses that it does not name weigh 0."""

    @model_validator(mode="after")
    def _something(self) -> "LossWeights":
        if not self.above_zero():
            raise ValueError("at least one weight must be above 0")
        return self

    def above_zero(self) -> dict[str, float]:
        """The weights by the names of their losses, without those of 0."""
        return {name: weight for name, weight in self if weight > 0}


if TYPE_CHECKING:
    LossSettings = LossWeights
else:  # a key for every entry of the registry
    LossSettings = create_model(
        "LossSettings",
        __base__=LossWeights,
        __doc__=LossWeights.__doc__,
        **{
            name: (NotNegative, Field(0.0, description=f"Weight of the {loss.summary}."))
            for name, loss in LOSSES.items()
        },
    )


class NegativeSourceSettings(Section):
    """Negatives that positive events are distinguished from if an impression has no other candidates."""

    source: Annotated[str, Choice(NEGATIVE_SOURCES)] = "auto"
    """Where negatives come from."""
    count: Count = 20
    """Negatives drawn per event, shared by all events of a step: at most 1,024, or 64 if `similarity` is `history` or
    layers learn; else up to 4,096 items are taken whole. More cost time and make the loss more exact. Not used by
    `in_batch`."""

    @model_validator(mode="after")
    def _one_meaning(self) -> "NegativeSourceSettings":
        keys = {name: tuple(source.settings.model_fields) for name, source in NEGATIVE_SOURCES.items()}
        require_keys_of_choice(self, "source", keys)
        return self


if TYPE_CHECKING:
    NegativeSettings = NegativeSourceSettings
else:  # with the keys of every source
    NegativeSettings = with_keys_of(
        NegativeSourceSettings, "NegativeSettings", [source.settings for source in NEGATIVE_SOURCES.values()]
    )


class LoraSettings(Section):
    """Low-rank adapters that learn in place of the layers' weights; merged when the model is saved."""

    rank: Count = 8
    """Rank of the adapters. A higher rank learns more and has more weights."""
    alpha: Positive = 16.0
    """Scale of the adapters, which count alpha / rank times; larger changes the encoder faster."""
    targets: list[Literal["qkv", "output", "up", "down"]] = ["qkv"]
    """Matrices of a layer that get an adapter: `qkv` the attention's inputs, `output` its output, `up` and `down` those
    of the feed-forward part."""

    @model_validator(mode="after")
    def _distinct(self) -> "LoraSettings":
        if not self.targets or len(set(self.targets)) != len(self.targets):
            raise ValueError("targets must name at least one, none twice")
        return self


class VectorCacheSettings(Section):
    """Reuse of text vectors from earlier steps, without a gradient. Only where layers of the encoder learn."""

    # Xiao et al. 2022, "Training Large-Scale News Recommenders with Pretrained Language Models in the Loop", 4.2
    probability: Fraction = 0.0
    """Probability with which a vector that is young enough is reused instead of encoded again; 0 = never, larger is
    faster and less exact."""
    max_age: Count = 50
    """Age in steps from which a vector is too old for reuse by `probability`; smaller is more exact."""
    max_tokens: Count | None = None
    """Most tokens encoded with a gradient per step and replica; further texts reuse their vectors of any age. `null` =
    no limit."""

    @property
    def enabled(self) -> bool:
        """Whether vectors are stored at all."""
        return self.probability > 0 or self.max_tokens is not None


class FinetuneSettings(Section):
    """How the intensity model is trained."""

    # What `tune` searches, see learning/search_space.py.
    SPACE: ClassVar[Mapping[str, Sequence[Any]]] = {
        "learning_rate": [3e-4, 1e-3, 3e-3, 1e-2],
        "weight_decay": [1e-3, 1e-2, 3e-2, 1e-1],
        "dropout": [0.05, 0.1, 0.2, 0.3, 0.5],
        "batch_size": [16, 32, 64, 128],
        "width": [64, 128, 256],
        "label_smoothing": [0.0, 0.05, 0.1],
        "negatives.count": [10, 20, 50, 100],
    }

    epochs: CountOrZero = 5
    """Most passes over the impressions, or over the events of a log without impressions; `patience` may stop
    earlier."""
    history_epochs: CountOrZero = 0
    """Passes of a first phase that predicts each next event within the train histories; worth trying where histories
    hold more events than there are impressions."""
    batch_size: Count = 32
    """Impressions, or events of a log without impressions, per step over all devices. Larger is faster, takes more
    memory and may want a higher learning rate."""
    batch_tokens: Count | None = None
    """A step also ends before the texts of its distinct items exceed this many tokens, which bounds memory; `null` = no
    such limit."""
    accumulate: Count = 1
    """Parts into which a step's batch is divided, worked on one after the other: less memory, equal gradients."""
    max_history: Count = 50
    """Most recent events of a user's history that are read; more cost time."""
    user_tower: Annotated[str, Choice(USER_TOWERS)] = "items"
    """How a user is represented."""
    user_tokens: Annotated[int, Field(ge=3)] = 128
    """Tokens of a user's text with `user_tower: text`; at most what the encoder takes."""
    positions: bool = False
    """Whether impressions list their candidates in the order in which they were shown: each place then has a learned
    bias that is left out at ranking. `false` where the log shuffles them, as MIND does."""
    similarity: Literal["history", "user"] | None = None
    """What a candidate's text is compared with: `history`, the events that resemble it, or `user`, the mean of the
    history, which ranks a large catalogue many times as fast. `null` = `history` where impressions are shown, else
    `user`."""
    width: Annotated[int, Field(ge=2, multiple_of=2)] = 128
    """Length of the vectors that ids, features and texts of items and users are fused to; longer ones fit more and cost
    more time."""
    negatives: NegativeSettings = NegativeSettings()
    """Where negatives come from."""
    trainable_layers: CountOrZero = 0
    """Top layers of the encoder that learn; 0 keeps it frozen, so that each text is encoded once. More cost much more
    time."""
    lora: LoraSettings | None = None
    """Low-rank adapters in the layers that learn; `null` = their weights learn directly."""
    vector_cache: VectorCacheSettings = VectorCacheSettings()
    """Reuse of text vectors from earlier steps."""
    learning_rate: Positive = 1e-3
    """Peak learning rate of towers and head. Lower it where the loss jumps, raise it where it falls slowly."""
    encoder_learning_rate: Positive = 2e-5
    """Peak learning rate of the encoder's top layer, where layers learn."""
    layer_decay: AboveZero = 1.0
    """Learning rate of each layer of the encoder relative to that of the layer above it; 1 = all learn at one rate."""
    schedule: Annotated[str, Choice(DECAYS)] = "linear"
    """Learning rates after the warm-up."""
    warm_up: BelowOne = 0.1
    """Share of each phase in which the learning rates rise from 0 to their peak."""
    weight_decay: NotNegative = 0.01
    """Decay of the weights in AdamW; larger keeps weights smaller, against over-fitting."""
    clip: Positive = 1.0
    """Largest norm of the gradient; longer ones are scaled down to it."""
    hidden: list[Count] = [32]
    """Widths of the hidden layers of the MLP head. One layer ranks large catalogues fastest."""
    dropout: BelowOne = 0.1
    """Share of values dropped in towers and head in training, and of items' attributes and modalities left out; larger
    acts against over-fitting."""
    encoder_dropout: BelowOne = 0.1
    """Share of values dropped in the encoder's layers that learn."""
    label_smoothing: BelowOne = 0.0
    """Share by which labels are drawn towards uncertainty; 0 = labels as they are."""
    losses: LossSettings = LossSettings.model_validate({"intensity": 1.0, "softmax": 1.0})
    """Weights of the losses that are added up."""
    tasks: dict[str, TaskSettings] = {}
    """What the model predicts besides the intensity, by a name for each; empty = nothing. Further tasks help where the
    events that matter are rare, such as purchases among views."""
    experts: CountOrZero = 0
    """Experts that the tasks share, each task by weights of its own (MMoE); 0 = none. Worth trying where tasks worsen
    each other."""
    rank_by: str | None = None
    """What the model ranks by: a task, or a product of powers of what tasks expect, such as `order * purchase^0.5`,
    where `order` is the likelihood that lists are learned by. `null` = `order` alone."""
    calibration: Annotated[str, Choice(CALIBRATIONS)] = "sigmoid"
    """How scores become intensities, fitted on half of valid."""
    seeds: Count = 1
    """Models that are trained with seeds of their own and averaged; three are surer than one and take three times as
    long."""
    warm_start: bool = False
    """Start from the workspace's current model if it has the same encoder and settings, as a nightly run may; otherwise
    from nothing, and the log says why. Fewer `epochs` are then enough. Not for random splits and earlier windows."""
    patience: Count = 2
    """Epochs without a gain on half of valid after which a phase stops."""

    @model_validator(mode="after")
    def _tasks(self) -> "FinetuneSettings":
        names = single_tasks(self.tasks)
        if self.experts and not names:
            raise ValueError("experts are shared by tasks; set tasks, or leave experts out")
        if self.rank_by is not None:
            try:
                parse_formula(self.rank_by, names)
            except ValueError as error:
                raise ValueError(f"rank_by: {error}") from None
        return self

    @model_validator(mode="after")
    def _user(self) -> "FinetuneSettings":
        if not USER_TOWERS[self.user_tower].reads_text and self.user_tokens != 128:
            raise ValueError("user_tokens belongs to user_tower: text")
        return self

    @model_validator(mode="after")
    def _learning(self) -> "FinetuneSettings":
        if self.lora is not None and not self.trainable_layers:
            raise ValueError("lora needs layers to learn in; set trainable_layers")
        if self.vector_cache != VectorCacheSettings() and not self.trainable_layers:
            raise ValueError("vector_cache needs layers that learn, frozen vectors are all kept; set trainable_layers")
        return self
