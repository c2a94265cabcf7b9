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
    """Settings of `trending`: items by their recent events."""

    half_life: Positive = 7.0
    """Days after which an event counts half; shorter follows the news faster, longer comes close to `popularity`."""


class ItemKnnSettings(Section):
    """Settings of `item_knn`: items that the users of the history's items also had."""

    similarity: Literal["cosine", "jaccard"] = "cosine"
    """Similarity of two items by their users: `cosine`, or `jaccard`, the shared users over all users of both."""
    neighbours: Count = 100
    """Most similar items that each item keeps; fewer are faster and less noisy."""
    shrinkage: NotNegative = 10.0
    """Added to the divisor of the similarity, so that items with few users are less similar; larger trusts popular
    pairs more."""
    half_life: Positive | None = None
    """Days after which an event and a history entry count half; shorter follows trends faster. `null` = all count
    alike."""


class ItemItemSettings(Section):
    """Settings of `item_item` beside those of `item_knn`, on which it is based."""

    text_neighbours: Count = 20
    """Items of the nearest texts whose similarities an item without events takes over."""


class AlsSettings(Section):
    """Settings of `als`: implicit matrix factorisation."""

    factors: Count = 64
    """Length of the vectors of users and items; longer ones fit more and cost more time."""
    regularization: Positive = 0.05
    """Strength with which vectors are kept small; larger acts against over-fitting."""
    iterations: Count = 15
    """Rounds of solving for users and items in turn."""
    alpha: Positive = 1.0
    """Weight of observed pairs: confidence is `1 + alpha * log(1 + events)`. Larger trusts observed events more."""


class EaseSettings(Section):
    """Settings of `ease`: item-item regression in closed form."""

    regularization: Positive = 200.0
    """Strength with which weights are kept small; larger acts against over-fitting and suits sparse logs."""
    half_life: Positive | None = None
    """Days after which an event and a history entry count half; shorter follows trends faster. `null` = all count
    alike."""
    max_size: Count = 8000
    """Users or items, whichever are fewer, up to which the solution is exact; above it only the most popular items take
    part. Memory grows with its square, time with its cube."""


class BprSettings(Section):
    """Settings of `bpr`: matrix factorisation that learns the order of pairs."""

    factors: Count = 64
    """Length of the vectors of users and items; longer ones fit more and cost more time."""
    learning_rate: Positive = 0.05
    """Step size of the stochastic ascent; lower it where results are unstable."""
    regularization: Positive = 0.01
    """Strength with which vectors are kept small; larger acts against over-fitting."""
    iterations: Count = 100
    """Passes over the pairs of user and item."""
    fold_steps: CountOrZero = 0
    """Steps from the mean of a history's item vectors towards the user vector that explains it best; 0 takes the
    mean."""


class TfidfSettings(Section):
    """Settings of `tfidf`: similarity of texts by shared words."""

    ngrams: Count = 1
    """Longest run of words that counts as a term; 2 adds pairs of words."""
    min_items: Count = 1
    """Fewest train items that must have a term for it to count; larger ignores rare words."""


class BiasSettings(Section):
    """Settings of `bias`: intensity by user and item means."""

    item_regularization: Positive = 3.0
    """Number of average labels that an item has in advance; larger draws items with few labels closer to the mean."""
    user_regularization: Positive = 3.0
    """Number of average labels that a user has in advance; larger draws users with few labels closer to the mean."""


class MfSettings(BiasSettings):
    """Settings of `mf`: intensity by user and item means and learned vectors."""

    factors: Count = 8
    """Length of the vectors of users and items; longer ones fit more and need more labels."""
    regularization: Positive = 0.05
    """Strength with which vectors are kept small, per label of the user or item; larger acts against over-fitting."""
    iterations: Count = 10
    """Rounds of solving for users and items in turn."""


class RankSettings(Section):
    """Which systems are fitted and ranked, and how components become the lists of `interestrec`."""

    systems: list[SystemName] = list(get_args(SystemName))
    """Systems that are ranked and compared: `interestrec`, the blend of `components`, and baselines by popularity
    (`popularity`, `trending`), events (`item_knn`, `als`, `ease`, `bpr`), texts (`tfidf`, `content`), predicted
    intensity (`mean_intensity`, `bias`, `mf`) or chance (`random`)."""
    components: list[ComponentName] = [
        "intensity",
        "item_item",
        "collaborative",
        "ease",
        "popularity",
        "trending",
        "content",
    ]
    """Scores that are blended: `intensity` the model, `item_item`, `collaborative` (als), `ease`, `factorization`
    (bpr), `popularity`, `trending`, and `content`, text similarity."""
    blend: BlendSettings = BlendSettings()
    """How components become one score."""
    estimators: list[Literal["intensity", "bias", "mf"]] = ["intensity", "bias", "mf"]
    """Predictors whose weighted sum is the predicted intensity: `intensity` the model, `bias`, `mf`. The first stands
    alone where labels are few; an empty list predicts none."""
    ablation: Literal["none", "parts", "full"] = "parts"
    """Further systems that show what components do: `none`; `parts` ranks each component alone; `full` also ranks the
    blend without each."""
    trials: Count = 8
    """Settings tried per scorer on half of valid, those of this configuration first; 1 = these alone. More take
    proportionally longer."""
    refit: bool = True
    """With `true` the scorers are fitted again on train and valid after all choices are made, so that they know the
    latest events."""
    trending: TrendingSettings = TrendingSettings()
    """Settings of `trending`."""
    item_knn: ItemKnnSettings = ItemKnnSettings()
    """Settings of `item_knn`."""
    item_item: ItemItemSettings = ItemItemSettings()
    """Settings of `item_item`."""
    als: AlsSettings = AlsSettings()
    """Settings of `als`."""
    ease: EaseSettings = EaseSettings()
    """Settings of `ease`."""
    bpr: BprSettings = BprSettings()
    """Settings of `bpr`."""
    tfidf: TfidfSettings = TfidfSettings()
    """Settings of `tfidf`."""
    bias: BiasSettings = BiasSettings()
    """Settings of `bias`."""
    mf: MfSettings = MfSettings()
    """Settings of `mf`."""
    retrieve: Count | None = None
    """Items nearest to the user's vector that the model scores in full; the others come behind. Smaller is faster on
    large catalogues; `null` = all are scored."""
    top_k: Count = 100
    """Length of each user's list over the whole catalogue."""
    rules: RulesSettings = RulesSettings()
    """What lists may hold."""

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
