"""Settings of the stage that fits and scores every system."""

from typing import Literal

from pydantic import model_validator

from interestrec.core.section import Count, NotNegative, Positive, Section

SystemName = Literal["interestrec", "random", "popularity", "trending", "item_knn", "als", "content"]
ComponentName = Literal["intensity", "item_item", "collaborative", "trending", "content"]


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
    seen: Literal["out", "in"] = "out"  # items of the history in the catalogue's list

    @model_validator(mode="after")
    def _distinct(self) -> "RankSettings":
        for name in ("systems", "components"):
            chosen = getattr(self, name)
            if not chosen or len(set(chosen)) != len(chosen):
                raise ValueError(f"{name} must name at least one, none twice")
        return self
