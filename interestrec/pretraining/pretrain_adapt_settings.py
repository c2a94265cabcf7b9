"""The `pretrain_adapt` section: settings of continued pretraining on the texts of the corpus."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import model_validator

from interestrec.core.section import (
    Choice,
    Count,
    CountOrZero,
    NotNegative,
    OpenFraction,
    Positive,
    Section,
    require_keys_of_choice,
    with_keys_of,
)
from interestrec.pretraining.text_objectives import OBJECTIVES


class ScratchSettings(Section):
    """A small BERT with random weights in place of the pretrained one; the defaults are those of BERT-Mini."""

    layers: Count = 4
    """Number of layers; more fit more and cost proportionally more time."""
    hidden: Count = 256
    """Width of the vectors; must be divisible by `heads`."""
    heads: Count = 4
    """Attention heads per layer."""
    intermediate: Count = 1024
    """Width within the feed-forward parts, usually four times `hidden`."""

    @model_validator(mode="after")
    def _divisible(self) -> "ScratchSettings":
        if self.hidden % self.heads:
            raise ValueError(f"hidden ({self.hidden}) must be divisible by heads ({self.heads})")
        return self


class TextLearningSettings(Section):
    """Continued pretraining of the encoder on the texts of the corpus."""

    steps: CountOrZero = 0
    """Training steps; 0 keeps the encoder as it is. More adapt it further to the texts, at the risk of forgetting."""
    objective: Annotated[str, Choice(OBJECTIVES)] = "masked"
    """What is learned."""
    batch_size: Count = 32
    """Most texts per step, over all devices. Larger gives `views`, `title_text` and `image_text` more negatives."""
    accumulate: Count = 1
    """Parts into which a batch is divided, worked on one after the other: less memory, but a text's negatives are those
    of its part."""
    learning_rate: Positive = 5e-5
    """Peak learning rate of all layers. Lower it where the loss jumps."""
    weight_decay: NotNegative = 0.01
    """Decay of the weights in AdamW; larger keeps weights smaller."""
    held_out: OpenFraction = 0.05
    """Share of the texts kept aside, with their pictures, on which figures before and after are measured."""
    keep: Literal["better", "always"] = "better"
    """When the adapted encoder is used: `better`, where its vectors find next items of train users better than before,
    else the encoder stays as it was; or `always`. An encoder from scratch is always kept."""
    scratch: ScratchSettings | None = None
    """Sizes of a new encoder with random weights; only the tokenizer of `encoders.<name>.source` is used then. `null` =
    the pretrained encoder."""

    @model_validator(mode="after")
    def _consistent(self) -> "TextLearningSettings":
        keys = {name: tuple(objective.settings.model_fields) for name, objective in OBJECTIVES.items()}
        require_keys_of_choice(self, "objective", keys)
        if OBJECTIVES[self.objective].compares and self.batch_size < 2 * self.accumulate:
            raise ValueError(
                f"{self.objective} compares the texts within each part of a batch; "
                "batch_size must be at least twice accumulate"
            )
        if self.scratch is not None and not self.steps:
            raise ValueError("scratch requires training; set steps above 0")
        return self


if TYPE_CHECKING:
    PretrainAdaptSettings = TextLearningSettings
else:  # with the keys of every objective
    PretrainAdaptSettings = with_keys_of(
        TextLearningSettings, "PretrainAdaptSettings", [objective.settings for objective in OBJECTIVES.values()]
    )
