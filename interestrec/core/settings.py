"""Every configuration key, its type, default and meaning: one YAML file serves all stages.

Objects of this module stop at `stages/`; the floors below take plain arguments.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from interestrec.core.item_settings import ItemsSettings, TextField
from interestrec.core.section import Count, CountOrZero, Fraction, OpenFraction, Positive, Section


class DataSettings(Section):
    """What all formats share."""

    root: Path = Path()  # directory that all data files are relative to; itself relative to the working directory
    relevant_at: Annotated[float, Field(gt=0, le=1)] | None = None  # relevant = intensity at or above it
    max_bad_rows: CountOrZero = 0  # malformed rows tolerated (counted in quality.json) before it is an error
    max_items_without_text: Fraction = 0.05  # share of items

    @property
    def names(self) -> list[str]:
        """Names and patterns of all raw files, relative to `root`."""
        raise NotImplementedError


class MindData(DataSettings):
    """MIND layout: `news.tsv` files and `behaviors.tsv` files a split."""

    format: Literal["mind"]
    news: list[str] = Field(min_length=1)
    train: list[str] = Field(min_length=1)
    valid: list[str] = []
    test: list[str] = []

    @property
    def names(self) -> list[str]:
        """See DataSettings."""
        return [*self.news, *self.train, *self.valid, *self.test]


class Condition(Section):
    """Rows kept by a filter: exactly one test on one column."""

    column: str
    equals: str | float | None = None
    one_of: list[str | float] | None = None
    above: float | None = None
    below: float | None = None
    not_prefix: str | None = None
    not_null: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_test(self) -> "Condition":
        if len(self.model_dump(exclude_none=True)) != 2:
            raise ValueError("give exactly one of equals, one_of, above, below, not_prefix, not_null")
        return self


class Table(Section):
    """Files of one table: CSV, TSV, JSON lines or Parquet by their suffix, gzip too.

    Names may be patterns such as `day=*/part-*.parquet`; directories `day=2026-03-01` are a column `day`.
    """

    files: list[str] = Field(min_length=1)
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None  # where the suffix does not tell
    where: list[Condition] = []


class EventColumns(Section):
    user: str | None = None
    session: str | None = None  # stands for the user where that is empty or has no column
    item: str
    time: str | None = None
    event: str | None = None  # column with the event type; without it every row is an `event`
    value: str | None = None  # rating, hours, seconds …

    @model_validator(mode="after")
    def _somebody(self) -> "EventColumns":
        if self.user is None and self.session is None:
            raise ValueError("give user, session or both")
        return self


class EventTable(Table):
    columns: EventColumns
    event: str = "event"  # type of every row when no column tells it
    event_types: dict[str, str] | None = None  # type in the log -> our name; unlisted types are counted and left out
    time_unit: Literal["s", "ms", "us"] = "s"  # of numeric times; text is read as ISO 8601


class ItemColumns(Section):
    item: str
    title: list[str] = []  # columns joined by a space, empty ones left out
    text: list[str] = []
    category: str | None = None
    category_separator: str | None = None  # what parts the levels of a category, where it is not `/`
    price: str | None = None
    published: str | None = None

    @model_validator(mode="after")
    def _words(self) -> "ItemColumns":
        if not self.title and not self.text:
            raise ValueError("name title or text; an item without words cannot be encoded")
        return self


class ItemTable(Table):
    columns: ItemColumns


class EventsData(DataSettings):
    """Event log by column mapping; items from a table of their own or from the event rows."""

    format: Literal["events"]
    events: EventTable
    items: ItemTable

    @property
    def names(self) -> list[str]:
        """See DataSettings."""
        return [*self.events.files, *self.items.files]


class RecboleData(DataSettings):
    """RecBole atomic files: `.inter` and `.item`."""

    format: Literal["recbole"]
    inter: str
    item: str
    value: str | None = None  # field of `.inter` with the rating
    event: str = "event"
    title: list[str] = Field(min_length=1)  # fields of `.item`, joined by a space
    text: list[str] = []
    category: str | None = None

    @property
    def names(self) -> list[str]:
        """See DataSettings."""
        return [self.inter, self.item]


class ShownColumns(Section):
    """Columns of impressions; `shown`, `clicked`, `labels` and `history` are lists."""

    user: str
    shown: str
    impression: str | None = None  # id; without it the row's number
    time: str | None = None
    clicked: str | None = None  # ids out of `shown`
    labels: str | None = None  # a number a candidate, clicked when above 0
    history: str | None = None  # ids read before, oldest first
    value: str | None = None  # what the click measured, such as seconds read

    @model_validator(mode="after")
    def _one_answer(self) -> "ShownColumns":
        if (self.clicked is None) == (self.labels is None):
            raise ValueError("give clicked or labels")
        return self


class HistoryColumns(Section):
    """Columns of a table with one row a user; all but `user` are lists of equal length, oldest first."""

    user: str
    items: str
    times: str | None = None
    values: str | None = None


class HistoryTable(Section):
    """What users had read before the impressions of each split."""

    train: list[str] = Field(min_length=1)
    valid: list[str] = []
    test: list[str] = []
    columns: HistoryColumns


class ImpressionsData(DataSettings):
    """Impressions with list columns, Parquet or JSON lines (EB-NeRD's layout)."""

    format: Literal["impressions"]
    train: list[str] = Field(min_length=1)
    valid: list[str] = []
    test: list[str] = []
    columns: ShownColumns
    time_unit: Literal["s", "ms", "us"] = "s"  # of numeric times
    history: HistoryTable | None = None
    items: ItemTable | None = None  # None = every id met is an item, without text

    @model_validator(mode="after")
    def _one_history(self) -> "ImpressionsData":
        if self.history is not None and self.columns.history is not None:
            raise ValueError("give columns.history or history, not both")
        return self

    @property
    def names(self) -> list[str]:
        """See DataSettings."""
        history = [*self.history.train, *self.history.valid, *self.history.test] if self.history else []
        return [*self.train, *self.valid, *self.test, *history, *(self.items.files if self.items else [])]


class Plots(Section):
    """A table of plots or overviews to join."""

    file: str
    key: str = "movieId"  # or a column of the links file, such as tmdbId
    column: str = "overview"


class MovielensData(DataSettings):
    """MovieLens: `.csv` files with headers, or files parted by `::`. Events are of type `rating`."""

    format: Literal["movielens"]
    ratings: str = "ratings.csv"
    movies: str = "movies.csv"
    links: str | None = None
    plots: Plots | None = None

    @property
    def names(self) -> list[str]:
        """See DataSettings."""
        return [self.ratings, self.movies, *filter(None, [self.links]), *([self.plots.file] if self.plots else [])]


class AmazonData(DataSettings):
    """Amazon reviews and metadata, JSON lines of 2018 or 2023. Events are of type `review`, values stars."""

    format: Literal["amazon"]
    reviews: list[str] = Field(min_length=1)
    metadata: list[str] = Field(min_length=1)

    @property
    def names(self) -> list[str]:
        """See DataSettings."""
        return [*self.reviews, *self.metadata]


DATA_FORMATS: dict[str, type[DataSettings]] = {
    "mind": MindData,
    "impressions": ImpressionsData,
    "events": EventsData,
    "movielens": MovielensData,
    "amazon": AmazonData,
    "recbole": RecboleData,
}
AnyData = MindData | ImpressionsData | EventsData | MovielensData | AmazonData | RecboleData


class SplitSettings(Section):
    method: Literal["given", "global_time", "user_time", "user_random"] = "global_time"
    valid: OpenFraction = 0.1
    test: OpenFraction = 0.2
    valid_from: str | None = None  # `given` without valid files: train rows at or after this time are valid

    @model_validator(mode="after")
    def _consistent(self) -> "SplitSettings":
        if self.valid + self.test >= 1:
            raise ValueError("valid + test must leave something to train on")
        if self.valid_from is not None and self.method != "given":
            raise ValueError("valid_from belongs to method: given")
        return self


class ValueMap(Section):
    """How a measured value (stars, seconds, hours) grades an event: a map to [0, 1], fitted on train.

    `linear`: `low` becomes 0 and `high` becomes 1, a value outside is a bad row. `log`: log(1 + v) / log(1 + high),
    1 above; without `high` the 99 % quantile of train. `quantile`: the share of train values below. `threshold`: the
    share of `thresholds` that the value reaches.
    """

    map: Literal["linear", "log", "quantile", "threshold"]
    low: float | None = None
    high: float | None = None
    thresholds: list[float] = []
    per_words: bool = False  # the value is divided by hundreds of words of the item first: seconds of reading
    missing: Fraction | None = None  # what a missing value becomes; None = it is a bad row

    @model_validator(mode="after")
    def _complete(self) -> "ValueMap":
        if self.map == "linear" and (self.low is None or self.high is None or self.low >= self.high):
            raise ValueError("linear needs low and high, low below high")
        if self.map != "linear" and self.low is not None:
            raise ValueError(f"low belongs to linear, not to {self.map}")
        if self.map in ("quantile", "threshold") and self.high is not None:
            raise ValueError(f"high belongs to linear and log, not to {self.map}")
        if self.map == "log" and self.high is not None and self.high <= 0:
            raise ValueError("high must be above 0")
        if (self.map == "threshold") != bool(self.thresholds):
            raise ValueError("thresholds belong to map: threshold, which needs at least one")
        if sorted(set(self.thresholds)) != self.thresholds:
            raise ValueError("thresholds must rise")
        return self


class IntensitySettings(Section):
    """Intensity of an event = weight of its type × mapped value × decay, then events of a pair are combined."""

    weights: dict[str, Fraction] = {}  # event type -> weight; all 1 when empty, else every type must be listed
    values: dict[str, ValueMap] = {}  # event type -> map of its value; without one the value does not count
    # event type -> `zero`: not interested, intensity 0; `withdraw`: takes back the latest earlier event of the pair
    negative: dict[str, Literal["zero", "withdraw"]] = {}
    combine: Literal["none", "max", "sum", "last", "noisy_or"] = "none"  # events of one user and item in one split
    half_life_days: Positive | None = None  # train events fade with their age at the end of train

    @model_validator(mode="after")
    def _one_meaning(self) -> "IntensitySettings":
        for kind in self.negative:
            if kind in self.weights or kind in self.values:
                raise ValueError(f"{kind} is negative: it takes neither a weight nor a map")
        return self


class RobotSettings(Section):
    """Users that no person is, told by their train events."""

    a_minute: Count | None = None  # most events within one minute
    spread: Positive | None = None  # volume above Q3 + spread × (Q3 - Q1) of log(1 + events)

    @model_validator(mode="after")
    def _one_rule(self) -> "RobotSettings":
        if self.a_minute is None and self.spread is None:
            raise ValueError("give a_minute, spread or both")
        return self


class KCoreSettings(Section):
    """Fewest train events of a user and of an item; repeated until nothing more goes."""

    users: Count = 1
    items: Count = 1


class PreprocessSettings(Section):
    duplicates: Literal["drop", "keep"] = "drop"  # events equal in user, item, time, type and value
    near_duplicate_items: Literal["keep", "merge"] = "keep"  # items whose title and text have the same words
    burst_seconds: Positive | None = None  # double clicks: same user, item and type less than this apart
    robots: RobotSettings | None = None
    k_core: KCoreSettings | None = None
    boilerplate: OpenFraction | None = None  # sentences in more than this share of the texts are taken out
    split: SplitSettings = SplitSettings()
    intensity: IntensitySettings = IntensitySettings()


class EncoderSettings(Section):
    source: Path  # directory in Hugging Face layout: config.json, model.safetensors, tokenizer files
    pooling: Literal["mean"] = "mean"


class PretrainAdaptSettings(Section):
    steps: CountOrZero = 0  # 0 keeps the encoder as it is
    batch_size: Count = 32
    learning_rate: Positive = 5e-5
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    mask_probability: OpenFraction = 0.15
    held_out: OpenFraction = 0.05  # share of texts kept aside for the loss before and after


class FinetuneSettings(Section):
    epochs: CountOrZero = 5
    history_epochs: CountOrZero = 0  # first phase: next event within every train timeline
    batch_size: Count = 32  # impressions a step
    max_history: Count = 50  # most recent events of the history
    negatives: Count = 20  # sampled a positive event, where an impression has no other candidates
    trainable_layers: CountOrZero = 0  # top layers of the encoder that learn; 0 = frozen vectors
    learning_rate: Positive = 1e-3
    encoder_learning_rate: Positive = 2e-5
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    hidden: list[Count] = [64]  # widths of the MLP head
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    intensity_weight: Annotated[float, Field(ge=0)] = 1.0  # of the graded cross-entropy
    softmax_weight: Annotated[float, Field(ge=0)] = 1.0  # of the impression softmax
    patience: Count = 2  # evaluations without a gain on valid_select before stopping


SystemName = Literal["interestrec", "random", "popularity", "trending", "item_knn", "als", "content"]
ComponentName = Literal["intensity", "item_item", "collaborative", "trending", "content"]


class ItemKnnSettings(Section):
    neighbours: Count = 100
    shrinkage: Annotated[float, Field(ge=0)] = 10.0


class AlsSettings(Section):
    factors: Count = 64
    regularization: Positive = 0.05
    iterations: Count = 15
    alpha: Positive = 1.0  # confidence of a pair = 1 + alpha × log(1 + events)


class RankSettings(Section):
    systems: list[SystemName] = ["interestrec", "random", "popularity", "trending", "item_knn", "als", "content"]
    components: list[ComponentName] = ["intensity", "item_item", "collaborative", "trending"]
    refit: bool = True  # count-based scorers are fitted again on train + valid after all choices are made
    trending_days: Positive = 7.0
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


class EvaluateSettings(Section):
    metrics: list[str] = ["auc", "mrr", "rr", "ndcg@5", "ndcg@10", "hit@10", "recall@20", "rmse", "logloss"]
    gain: Literal["binary", "graded"] = "binary"  # of ndcg
    bootstrap: Count = 1000  # resamples over users behind each interval


class RuntimeSettings(Section):
    """How to run; outside an artifact's digest."""

    device: Literal["auto", "cpu", "gpu"] = "auto"
    threads: Count | None = None  # None = all cores
    memory: Positive = 2.0  # GiB that the database of preprocess takes before it spills to disk


class Settings(Section):
    version: Literal[1] = 1
    workspace: Path = Path("workspace")
    seed: CountOrZero = 42
    data: Annotated[AnyData, Field(discriminator="format")]
    items: ItemsSettings = ItemsSettings()
    preprocess: PreprocessSettings = PreprocessSettings()
    encoders: dict[str, EncoderSettings] = Field(min_length=1, max_length=1)
    pretrain_adapt: PretrainAdaptSettings = PretrainAdaptSettings()
    finetune: FinetuneSettings = FinetuneSettings()
    rank: RankSettings = RankSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    runtime: RuntimeSettings = RuntimeSettings()

    @model_validator(mode="after")
    def _consistent(self) -> "Settings":
        for position, field in enumerate(self.items.fields):
            if isinstance(field, TextField) and field.encoder not in self.encoders:
                raise ValueError(f"items.fields.{position}.encoder: no encoder '{field.encoder}' under encoders")
        if self.preprocess.intensity.values and self.data.relevant_at is None:
            raise ValueError("data.relevant_at: must be given where values are mapped to intensities")
        return self

    @property
    def encoder(self) -> EncoderSettings:
        """The text encoder."""
        return next(iter(self.encoders.values()))

    def lineage(self, *sections: str) -> dict[str, Any]:
        """The named sections as JSON values for an artifact's recipe, without paths.

        Paths say where bytes are, not what they are; their content enters through input digests.
        """
        values = self.model_dump(mode="json", include=set(sections))
        values.get("data", {}).pop("root", None)
        for encoder in values.get("encoders", {}).values():
            encoder.pop("source")
        return values
