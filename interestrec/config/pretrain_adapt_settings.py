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
    """A small BERT of random weights in place of the pretrained one; the defaults are BERT-Mini's."""

    layers: Count = 4
    hidden: Count = 256  # width of the vectors
    heads: Count = 4
    intermediate: Count = 1024  # width within the feed-forward parts

    @model_validator(mode="after")
    def _divisible(self) -> "ScratchSettings":
        if self.hidden % self.heads:
            raise ValueError(f"hidden ({self.hidden}) must be divisible by heads ({self.heads}), which share it")
        return self


class PretrainAdaptSettings(Section):
    steps: CountOrZero = 0  # 0 keeps the encoder as it is
    # masked tokens are predicted (BERT); two dropout views of a text find each other in the batch (SimCSE); a title
    # and the text of its item do
    objective: Literal["masked", "views", "title_text"] = "masked"
    batch_size: Count = 32  # most texts a step, over all replicas
    accumulate: Count = 1  # parts of a batch worked on one after the other; negatives of a text are those of its part
    learning_rate: Positive = 5e-5
    weight_decay: NotNegative = 0.01
    mask_probability: OpenFraction = 0.15
    whole_words: bool = False  # all tokens of a word are masked or none
    temperature: Positive = 0.05  # that cosines are divided by, of views and title_text
    held_out: OpenFraction = 0.05  # share of texts kept aside for the figures before and after
    scratch: ScratchSettings | None = None  # only the tokenizer is taken from encoders.<name>.source

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
