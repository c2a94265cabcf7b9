"""Settings of what a list holds, and of how components are weighed."""

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from interestrec.core.section import Count, Fraction, NotNegative, Positive, Section

ComponentName = Literal[
    "intensity",
    "item_item",
    "collaborative",
    "ease",
    "factorization",
    "popularity",
    "trending",
    "content",
]


class RulesSettings(Section):
    """What the lists over the whole catalogue may hold. Those of shown candidates are left as they are."""

    # items of the history: left out, let in, or down by seen_penalty. Out where a thing is wanted once, as news and
    # films; in or down where it is wanted again, as groceries
    seen: Literal["out", "in", "down"] = "out"
    seen_penalty: Positive = 1.0  # standard deviations of the request's scores; belongs to seen: down
    available: Path | None = None  # file of item ids, one a line: only these are listed
    max_age_days: Positive | None = None  # since published; items that do not say when are listed at any age
    per_category: Count | None = None  # most items of one top-level category in a list of ours
    diversity: Fraction = 0.0  # 0 = by score alone; above, items unlike those before them are preferred (MMR)

    @model_validator(mode="after")
    def _one_meaning(self) -> "RulesSettings":
        if self.seen != "down" and self.seen_penalty != 1.0:
            raise ValueError("seen_penalty belongs to seen: down")
        return self


class BlendSettings(Section):
    """How components become one score."""

    # weights learned on valid_blend; fixed ones, given below; or one component, by `component`
    method: Literal["learned", "fixed", "single"] = "learned"
    weights: dict[ComponentName, NotNegative] = {}
    component: ComponentName | None = None

    @property
    def given(self) -> dict[str, float] | None:
        """Weights that are not learned, those of components not named being 0; None where they are."""
        if self.component is not None:
            return {self.component: 1.0}
        return {str(name): weight for name, weight in self.weights.items()} or None

    @model_validator(mode="after")
    def _one_meaning(self) -> "BlendSettings":
        if (self.method == "fixed") != bool(self.weights):
            raise ValueError("weights belong to method: fixed, which needs them")
        if (self.method == "single") != (self.component is not None):
            raise ValueError("component belongs to method: single, which needs it")
        if self.weights and not any(self.weights.values()):
            raise ValueError("at least one weight must be above 0")
        return self
