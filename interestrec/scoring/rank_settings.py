"""The `rank` section: settings of the stage that fits and ranks systems; scorers define their own sections."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import Field, create_model, model_validator

from interestrec.core.section import Count, CountOrZero, Fraction, NotNegative, Positive, Section
from interestrec.scorers.registry import COMPONENTS, SCORERS, scorer_definition

_SYSTEMS = ("interestrec", *(name for name, entry in SCORERS.items() if entry.is_system))
_BASELINES = [name for name, entry in SCORERS.items() if entry.is_system and entry.is_baseline]
_ESTIMATORS = tuple(name for name, entry in SCORERS.items() if entry.is_estimator)

_EXACT_ITEMS = 20_000  # up to which all items are scored; the candidates of a dozen components would be half of them

if TYPE_CHECKING:
    SystemName: TypeAlias = str
    ComponentName: TypeAlias = str
    EstimatorName: TypeAlias = str
else:
    SystemName = Literal[_SYSTEMS]
    ComponentName = Literal[tuple(COMPONENTS)]
    EstimatorName = Literal[_ESTIMATORS]


def _quoted(names: dict[str, str]) -> str:
    """Format configuration names as a list, each followed by its scorer if the names differ."""
    return ", ".join(f"`{name}`" if name == scorer else f"`{name}` ({scorer})" for name, scorer in names.items())


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
            raise ValueError("seen_penalty belongs to seen: down; remove it or set seen: down")
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
    def fixed_weights(self) -> dict[str, float] | None:
        """Weights by component; components without an entry weigh 0; None: weights are learned."""
        if self.component is not None:
            return {self.component: 1.0}
        return {str(name): weight for name, weight in self.weights.items()} or None

    @model_validator(mode="after")
    def _one_meaning(self) -> "BlendSettings":
        if (self.method == "fixed") != bool(self.weights):
            raise ValueError("weights belong to method: fixed, which requires them")
        if (self.method == "single") != (self.component is not None):
            raise ValueError("component belongs to method: single, which requires it")
        if self.weights and not any(self.weights.values()):
            raise ValueError("at least one weight must be above 0")
        return self


class UserSampleSettings(Section):
    """Which users of the test split are ranked and evaluated."""

    sample: Count | None = None
    """Number of users, chosen by a hash of their ids; `null` = all. Intervals of N out of M users are √(M / N) times as
    wide as those of all, which the report says. Lists for a time are made for everyone."""


class _SystemChoices(Section):
    """The keys of `rank` before the sections of the scorers."""

    systems: list[SystemName] = Field(
        default=[_SYSTEMS[0], *_BASELINES],
        description="Systems that are ranked and compared: `interestrec`, the blend of `components`, and scorers as "
        f"baselines: {_quoted({name: name for name in _SYSTEMS[1:]})}. docs/ranking.md describes each.",
    )
    components: list[ComponentName] = Field(
        default=[
            "intensity",
            "item_item",
            "collaborative",
            "ease",
            "factorization",
            "session_knn",
            "covisit",
            "sequence",
            "popularity",
            "trending",
            "personal_trend",
            "content",
            "tfidf",
            "bias",
        ],
        description=f"Scores that are blended, with the scorer behind them: {_quoted(COMPONENTS)}.",
    )
    blend: BlendSettings = BlendSettings()
    """How components become one score."""
    estimators: list[EstimatorName] = Field(
        default=["strength", "bias", "mf", "bayesian_mf"],
        description="Predictors whose weighted sum is the predicted intensity: "
        f"{_quoted({name: name for name in _ESTIMATORS})}. The first stands alone where labels are few; an empty list "
        "predicts none.",
    )
    ablation: Literal["none", "parts", "full"] = "parts"
    """Further systems that show what components do: `none`; `parts` ranks each component alone; `full` also ranks the
    blend without each."""
    trials: Count = 8
    """Budget of the search of each scorer's settings on half of valid, in fits on all users; from 4 on, half of it goes
    to fits on a quarter of the users. 1 = this configuration alone. More take proportionally longer."""
    refit: bool = True
    """With `true` the scorers are fitted again on train and valid after all choices are made, so that they know the
    latest events."""


if TYPE_CHECKING:
    _ScorerSections = _SystemChoices
else:
    _ScorerSections = create_model(
        "_ScorerSections",
        __base__=_SystemChoices,
        __module__=__name__,
        **{
            name: (entry.settings, Field(default=entry.settings(), description=f"Settings of `{name}`."))
            for name, entry in SCORERS.items()
            if entry.settings is not None
        },
    )


class RankSettings(_ScorerSections):
    """Which systems are fitted and ranked, and how components become the lists of `interestrec`."""

    deletion_users: CountOrZero = 100
    """Test users for whom it is measured how far the first item falls without the events that explain it, beside random
    events; drawn from those with at least 5 events. Their histories are scored without each event. 0 = none."""
    users: UserSampleSettings = UserSampleSettings()
    """Which users of the test split are ranked."""
    retrieve: Count | None = None
    """Items nearest to the user's vector that the model scores in full; the others come behind. Smaller is faster on
    large catalogues; `null` = all are scored."""
    search: Literal["exact", "approximate"] = "exact"
    """How `retrieve` finds the nearest items: `exact` compares with all of them; `approximate` walks along a graph of
    items and misses some, which pays towards a million items (`pip install 'interestrec[search]'`)."""
    exact: bool | None = None
    """With `true` every item is scored for every list, with `false` the `candidates` of each component, which takes
    less time on large catalogues; `null` = exact for up to 20,000 items, and with `rules.seen: down`."""
    candidates: Count = 500
    """Where lists are not exact: best items of each component that are scored in full, at least `top_k`. More find more
    of the exact lists, and take longer; `systems.json` has the measured recall."""
    top_k: Count = 100
    """Length of each user's list over the whole catalogue."""
    rules: RulesSettings = RulesSettings()
    """What lists may hold."""

    def scorer_settings(self, name: str) -> dict[str, Any]:
        """Return the settings of a scorer by key; empty for a scorer without settings."""
        return {} if scorer_definition(name).settings is None else getattr(self, name).model_dump()

    def candidates_among(self, items: int) -> int | None:
        """Return how many best items of each component lists are made of; None: every item is scored."""
        exact = items <= _EXACT_ITEMS or self.rules.seen == "down" if self.exact is None else self.exact
        return None if exact else max(self.candidates, self.top_k)

    def without_files(self) -> "RankSettings":
        """Return the settings without the files of rules, which belong to the lists that are published."""
        return self.model_copy(update={"rules": self.rules.model_copy(update={"available": None})})

    @model_validator(mode="after")
    def _distinct(self) -> "RankSettings":
        for name in ("systems", "components"):
            names = getattr(self, name)
            if not names or len(set(names)) != len(names):
                raise ValueError(f"{name} must name at least one, none twice")
        if len(set(self.estimators)) != len(self.estimators):
            raise ValueError("estimators must not name one twice")
        in_blend = [*self.blend.weights, *([self.blend.component] if self.blend.component else [])]
        if unknown := sorted(set(in_blend) - set(self.components)):
            raise ValueError(f"blend: {', '.join(unknown)} is not among components")
        return self

    @model_validator(mode="after")
    def _exact_where_needed(self) -> "RankSettings":
        if self.exact is False and self.rules.seen == "down":
            raise ValueError("rules.seen: down lowers by a deviation over all items; remove exact: false")
        return self

    @model_validator(mode="after")
    def _search_finds_some(self) -> "RankSettings":
        if self.search == "approximate" and self.retrieve is None:
            raise ValueError("search: approximate finds the items of retrieve; set retrieve, such as 500, or exact")
        return self
