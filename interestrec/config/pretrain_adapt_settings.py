"""The `pretrain_adapt` section: how the encoder goes on learning from the corpus's texts."""

from typing import Literal

from pydantic import model_validator

from interestrec.core.section import Count, CountOrZero, NotNegative, OpenFraction, Positive, Section

# Keys that mean something to some objectives only.
_OF_OBJECTIVES = {
    "mask_probability": ("masked",),
    "whole_words": ("masked",),
    "temperature": ("views", "title_text"),
}


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
            raise ValueError(f"hidden ({self.hidden}) must be divisible by heads ({self.heads}), which share it")
        return self


class PretrainAdaptSettings(Section):
    """How the encoder goes on learning from the corpus's texts."""

    steps: CountOrZero = 0
    """Training steps; 0 keeps the encoder as it is. More adapt it further to the texts, at the risk of forgetting."""
    objective: Literal["masked", "views", "title_text"] = "masked"
    """What is learned: `masked` predicts hidden tokens (BERT); `views` matches two dropout views of a text within the
    batch (SimCSE); `title_text` matches a title with the text of its item."""
    batch_size: Count = 32
    """Most texts per step, over all devices. Larger gives `views` and `title_text` more negatives."""
    accumulate: Count = 1
    """Parts into which a batch is divided, worked on one after the other: less memory, but a text's negatives are those
    of its part."""
    learning_rate: Positive = 5e-5
    """Peak learning rate of all layers. Lower it where the loss jumps."""
    weight_decay: NotNegative = 0.01
    """Decay of the weights in AdamW; larger keeps weights smaller."""
    mask_probability: OpenFraction = 0.15
    """Share of tokens that `masked` predicts."""
    whole_words: bool = False
    """With `masked`: `true` masks all tokens of a word or none, which is harder to guess."""
    temperature: Positive = 0.05
    """What cosines are divided by in `views` and `title_text`; smaller stresses the most similar negatives."""
    held_out: OpenFraction = 0.05
    """Share of the texts kept aside, on which figures before and after are measured."""
    scratch: ScratchSettings | None = None
    """Sizes of a new encoder with random weights; only the tokenizer of `encoders.<name>.source` is used then. `null` =
    the pretrained encoder."""

    @model_validator(mode="after")
    def _consistent(self) -> "PretrainAdaptSettings":
        for name, objectives in _OF_OBJECTIVES.items():
            if getattr(self, name) != type(self).model_fields[name].default and self.objective not in objectives:
                raise ValueError(f"{name} belongs to objective: {' or '.join(objectives)}, not to {self.objective}")
        if self.objective != "masked" and self.batch_size < 2 * self.accumulate:
            raise ValueError(
                f"{self.objective} compares the texts within each part of a batch; "
                "batch_size must be at least twice accumulate"
            )
        if self.scratch is not None and not self.steps:
            raise ValueError(
                "scratch without steps is an encoder of random weights that has learned nothing; set steps"
            )
        return self
