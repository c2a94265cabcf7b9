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
    """What the lists over the whole catalogue may hold. Lists of shown candidates stay as they are."""

    seen: Literal["out", "in", "down"] = "out"
    """Items of the history: `out` leaves them out (news, films), `in` lets them in (groceries), `down` lowers them by
    `seen_penalty`."""
    seen_penalty: Positive = 1.0
    """How much `seen: down` lowers seen items, in standard deviations of the user's scores."""
    available: Path | None = None
    """File of item ids, one per line: only these are listed. `null` = all are available."""
    max_age_days: Positive | None = None
    """Most days since publication of a listed item; items without a date are listed at any age. `null` = no limit."""
    per_category: Count | None = None
    """Most items of one top-level category in a list of `interestrec`; `null` = no limit."""
    diversity: Fraction = 0.0
    """How much items unlike those before them are preferred (maximal marginal relevance): 0 ranks by score alone, 1 by
    difference alone."""

    @model_validator(mode="after")
    def _one_meaning(self) -> "RulesSettings":
        if self.seen != "down" and self.seen_penalty != 1.0:
            raise ValueError("seen_penalty belongs to seen: down")
        return self


class BlendSettings(Section):
    """How components become one score."""

    method: Literal["learned", "fixed", "single"] = "learned"
    """Where weights come from: `learned` on half of valid, `fixed` as under `weights`, or `single`, one `component`
    alone."""
    weights: dict[ComponentName, NotNegative] = {}
    """Weight of each component with `method: fixed`; components that are not named weigh 0."""
    component: ComponentName | None = None
    """The component, as under `rank.components`, that decides alone with `method: single`."""

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
