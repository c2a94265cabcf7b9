"""Settings of the stage that fits and scores every system."""

from typing import Literal

from pydantic import model_validator

from interestrec.core.decision_settings import BlendSettings, ComponentName, RulesSettings
from interestrec.core.section import Count, NotNegative, Positive, Section

SystemName = Literal["interestrec", "random", "popularity", "trending", "item_knn", "als", "content"]


class TrendingSettings(Section):
    half_life: Positive = 7.0  # days after which an event counts half


class ItemKnnSettings(Section):
    neighbours: Count = 100
    shrinkage: NotNegative = 10.0


class AlsSettings(Section):
    factors: Count = 64
    regularization: Positive = 0.05
    iterations: Count = 15
    alpha: Positive = 1.0  # confidence of a pair = 1 + alpha × log(1 + events)


class RankSettings(Section):
    systems: list[SystemName] = ["interestrec", "random", "popularity", "trending", "item_knn", "als", "content"]
    components: list[ComponentName] = ["intensity", "item_item", "collaborative", "trending"]
    refit: bool = True  # count-based scorers are fitted again on train + valid after all choices are made
    trending: TrendingSettings = TrendingSettings()
    item_knn: ItemKnnSettings = ItemKnnSettings()
    als: AlsSettings = AlsSettings()
    top_k: Count = 100  # length of the list a user over the whole catalogue
    rules: RulesSettings = RulesSettings()
    blend: BlendSettings = BlendSettings()
    trials: Count = 8  # settings tried a scorer on valid_select, the ones given here first; 1 = these alone
    # predictors of intensity whose convex sum is ours; the first stands alone where labels are few
    estimators: list[Literal["intensity", "bias", "mf"]] = ["intensity", "bias", "mf"]
    # further systems, to see what components do: each alone (parts), and each left out as well (full)
    ablation: Literal["none", "parts", "full"] = "parts"

    @model_validator(mode="after")
    def _distinct(self) -> "RankSettings":
        for name in ("systems", "components"):
            chosen = getattr(self, name)
            if not chosen or len(set(chosen)) != len(chosen):
                raise ValueError(f"{name} must name at least one, none twice")
        if self.components and (unknown := set(self._weighed()) - set(self.components)):
            raise ValueError(f"blend: {', '.join(sorted(unknown))} is not among components")
        return self

    def _weighed(self) -> list[str]:
        return [*self.blend.weights, *([self.blend.component] if self.blend.component else [])]
