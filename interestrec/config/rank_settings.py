"""Settings of the stage that fits and scores every system."""

from typing import Literal, get_args

from pydantic import model_validator

from interestrec.config.decision_settings import BlendSettings, ComponentName, RulesSettings
from interestrec.core.section import Count, CountOrZero, NotNegative, Positive, Section

SystemName = Literal[
    "interestrec",
    "random",
    "popularity",
    "trending",
    "item_knn",
    "als",
    "ease",
    "bpr",
    "tfidf",
    "content",
    "mean_intensity",
    "bias",
    "mf",
]


class TrendingSettings(Section):
    half_life: Positive = 7.0  # days after which an event counts half


class ItemKnnSettings(Section):
    similarity: Literal["cosine", "jaccard"] = "cosine"
    neighbours: Count = 100
    shrinkage: NotNegative = 10.0
    half_life: Positive | None = None  # days after which an event and a history entry count half


class ItemItemSettings(Section):
    """Beside those of item_knn, which it is made of."""

    text_neighbours: Count = 20  # items that stand in for one without events


class AlsSettings(Section):
    factors: Count = 64
    regularization: Positive = 0.05
    iterations: Count = 15
    alpha: Positive = 1.0  # confidence of a pair = 1 + alpha × log(1 + events)


class EaseSettings(Section):
    regularization: Positive = 200.0
    half_life: Positive | None = None  # days after which an event and a history entry count half
    max_size: Count = 8000  # users or items, whichever are fewer, that a matrix is inverted of; beyond, popular items


class BprSettings(Section):
    factors: Count = 64
    learning_rate: Positive = 0.05
    regularization: Positive = 0.01
    iterations: Count = 100  # passes over the pairs
    fold_steps: CountOrZero = 0  # from the mean of a history's factors towards the user that explains it best


class TfidfSettings(Section):
    ngrams: Count = 1  # longest run of words that counts as one
    min_items: Count = 1  # that must have a word for it to count


class BiasSettings(Section):
    item_regularization: Positive = 3.0  # labels without any deviation that an item is given in advance
    user_regularization: Positive = 3.0


class MfSettings(BiasSettings):
    factors: Count = 8
    regularization: Positive = 0.05  # of the factors, times the labels of the user or the item
    iterations: Count = 10


class RankSettings(Section):
    systems: list[SystemName] = list(get_args(SystemName))
    components: list[ComponentName] = [
        "intensity",
        "item_item",
        "collaborative",
        "ease",
        "popularity",
        "trending",
        "content",
    ]
    blend: BlendSettings = BlendSettings()
    # predictors of intensity whose weighted sum is ours; the first stands alone where labels are few
    estimators: list[Literal["intensity", "bias", "mf"]] = ["intensity", "bias", "mf"]
    # further systems, to see what components do: each alone (parts), and each left out as well (full)
    ablation: Literal["none", "parts", "full"] = "parts"
    trials: Count = 8  # settings tried a scorer on valid_select, those given here first; 1 = these alone
    refit: bool = True  # fitted scorers are fitted again on train + valid after all choices are made
    trending: TrendingSettings = TrendingSettings()
    item_knn: ItemKnnSettings = ItemKnnSettings()
    item_item: ItemItemSettings = ItemItemSettings()
    als: AlsSettings = AlsSettings()
    ease: EaseSettings = EaseSettings()
    bpr: BprSettings = BprSettings()
    tfidf: TfidfSettings = TfidfSettings()
    bias: BiasSettings = BiasSettings()
    mf: MfSettings = MfSettings()
    # items of the catalogue that the model scores in full, those nearest to the user's vector; null: all of them
    retrieve: Count | None = None
    top_k: Count = 100  # length of the list a user over the whole catalogue
    rules: RulesSettings = RulesSettings()

    @model_validator(mode="after")
    def _distinct(self) -> "RankSettings":
        for name in ("systems", "components"):
            chosen = getattr(self, name)
            if not chosen or len(set(chosen)) != len(chosen):
                raise ValueError(f"{name} must name at least one, none twice")
        if len(set(self.estimators)) != len(self.estimators):
            raise ValueError("estimators must not name one twice")
        weighed = [*self.blend.weights, *([self.blend.component] if self.blend.component else [])]
        if unknown := sorted(set(weighed) - set(self.components)):
            raise ValueError(f"blend: {', '.join(unknown)} is not among components")
        return self
