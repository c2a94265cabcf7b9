"""Settings of the stage that fits and scores every system."""

from typing import Literal

from pydantic import model_validator

from interestrec.core.section import Count, CountOrZero, NotNegative, Positive, Section

SystemName = Literal[
    "interestrec",
    "random",
    "popularity",
    "trending",
    "item_knn",
    "item_item",
    "als",
    "ease",
    "bpr",
    "content",
    "tfidf",
    "mean_intensity",
    "bias",
    "mf",
]
ComponentName = Literal[
    "intensity", "item_item", "collaborative", "ease", "factorization", "popularity", "trending", "content"
]


class TrendingSettings(Section):
    half_life: Positive = 7.0  # days after which an event counts half


class ItemKnnSettings(Section):
    similarity: Literal["cosine", "jaccard"] = "cosine"  # of the items' users
    neighbours: Count = 100
    shrinkage: NotNegative = 10.0
    half_life: Positive | None = None  # days after which an event counts half; null: all count alike


class ItemItemSettings(ItemKnnSettings):
    text_neighbours: Count = 20  # items that stand in for one without events


class AlsSettings(Section):
    factors: Count = 64
    regularization: Positive = 0.05
    iterations: Count = 15
    alpha: Positive = 1.0  # confidence of a pair = 1 + alpha × log(1 + events)


class EaseSettings(Section):
    regularization: Positive = 200.0
    half_life: Positive | None = None  # days after which an event counts half; null: all count alike
    max_size: Count = 8000  # rows of the matrix to invert; of more users and items, the most frequent items take part


class BprSettings(Section):
    factors: Count = 128
    learning_rate: Positive = 0.05
    regularization: Positive = 0.01
    iterations: Count = 100  # passes over the pairs
    fold_steps: CountOrZero = 3  # from the mean of a history's factors towards the user that explains it best


class TfidfSettings(Section):
    ngrams: Count = 1  # longest run of words that counts as one
    min_items: Count = 1  # that must have a word


class BiasSettings(Section):
    user_regularization: NotNegative = 3.0  # labels without any deviation that a user is given in advance
    item_regularization: NotNegative = 3.0


class MfSettings(BiasSettings):
    factors: Count = 16
    regularization: Positive = 0.03  # times a user's or item's labels
    iterations: Count = 15


class RankSettings(Section):
    systems: list[SystemName] = ["interestrec", "random", "popularity", "trending", "item_knn", "als", "content"]
    components: list[ComponentName] = ["intensity", "item_item", "collaborative", "trending"]
    refit: bool = True  # count-based scorers are fitted again on train + valid after all choices are made
    trending: TrendingSettings = TrendingSettings()
    item_knn: ItemKnnSettings = ItemKnnSettings()
    item_item: ItemItemSettings = ItemItemSettings()
    als: AlsSettings = AlsSettings()
    ease: EaseSettings = EaseSettings()
    bpr: BprSettings = BprSettings()
    tfidf: TfidfSettings = TfidfSettings()
    bias: BiasSettings = BiasSettings()
    mf: MfSettings = MfSettings()
    top_k: Count = 100  # length of the list a user over the whole catalogue
    seen: Literal["out", "in"] = "out"  # items of the history in the catalogue's list

    @model_validator(mode="after")
    def _distinct(self) -> "RankSettings":
        for name in ("systems", "components"):
            chosen = getattr(self, name)
            if not chosen or len(set(chosen)) != len(chosen):
                raise ValueError(f"{name} must name at least one, none twice")
        return self
