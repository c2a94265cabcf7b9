"""Every configuration key, its type, default and meaning: one YAML file serves all stages.

Objects of this module stop at `stages/`; the floors below take plain arguments.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from interestrec.config.data_settings import AnyData
from interestrec.config.item_settings import ItemsSettings, TextField
from interestrec.config.metric_names import is_known_metric
from interestrec.config.preprocess_settings import PreprocessSettings
from interestrec.config.pretrain_adapt_settings import PretrainAdaptSettings
from interestrec.config.rank_settings import RankSettings
from interestrec.config.requirements import validate_bound
from interestrec.core.choices import suggestion
from interestrec.core.section import (
    AboveZero,
    BelowOne,
    Count,
    CountOrZero,
    Fraction,
    NotNegative,
    Positive,
    Section,
)
from interestrec.io.keys import KeySource


class EncoderSettings(Section):
    """A pretrained text encoder of the BERT family."""

    source: Path
    """Directory in Hugging Face layout with `config.json`, `model.safetensors` and tokenizer files, relative to the
    working directory. `interestrec fetch minilm-l6` downloads a small one."""
    pooling: Literal["mean", "cls", "attention"] = "mean"
    """How token vectors become one: `mean` of all tokens, `cls` the first token's, `attention` a weighted mean that
    `finetune` learns. Take what the encoder was trained with."""


class LossSettings(Section):
    """Weights of the losses that are added up; where the section is given, losses that it does not name weigh 0."""

    intensity: NotNegative = 0.0
    """Weight of the cross-entropy between each predicted and known intensity; it makes predictions mean what they
    say."""
    softmax: NotNegative = 0.0
    """Weight of the softmax loss over each list, positives against the other candidates; it makes the order right."""
    listnet: NotNegative = 0.0
    """Weight of ListNet: the softmax over each list against the softmax of its labels; it respects graded labels
    more."""
    pairwise: NotNegative = 0.0
    """Weight of the logistic loss of every two candidates of a list whose labels differ; close to optimising AUC."""
    huber: NotNegative = 0.0
    """Weight of the Huber loss of each known intensity's error; robust where labels are noisy ratings."""

    @model_validator(mode="after")
    def _something(self) -> "LossSettings":
        if not any(weight > 0 for _, weight in self):
            raise ValueError("at least one weight must be above 0")
        return self


class NegativeSettings(Section):
    """What a positive event is distinguished from, where an impression has no other candidates."""

    source: Literal["popularity", "uniform", "in_batch", "hard"] = "popularity"
    """Where negatives come from: `popularity` draws by popularity^exponent, `uniform` alike among items liked in train,
    `in_batch` takes other positives of the batch, `hard` chooses half of them as most similar to the history."""
    count: Count = 20
    """Negatives drawn per event; more cost time and make the loss more exact. With `in_batch` it applies to validation
    only."""
    exponent: NotNegative = 1.0
    """Power of popularity by which negatives are drawn (`popularity` and `hard`): 0 draws alike, 1 in proportion, above
    1 favours popular items more."""
    pool: Count = 200
    """Items drawn per batch from which `hard` chooses the most similar; more make negatives harder."""

    @model_validator(mode="after")
    def _one_meaning(self) -> "NegativeSettings":
        if self.source not in ("popularity", "hard") and self.exponent != 1:
            raise ValueError(f"exponent belongs to source: popularity and source: hard, not to {self.source}")
        if self.source != "hard" and self.pool != 200:
            raise ValueError(f"pool belongs to source: hard, not to {self.source}")
        return self


class LoraSettings(Section):
    """Low-rank adapters that learn in place of the layers' weights; merged when the model is saved."""

    rank: Count = 8
    """Rank of the adapters. A higher rank learns more and has more weights."""
    alpha: Positive = 16.0
    """Scale of the adapters, which count alpha / rank times; larger changes the encoder faster."""
    targets: list[Literal["qkv", "output", "up", "down"]] = ["qkv"]
    """Matrices of a layer that get an adapter: `qkv` the attention's inputs, `output` its output, `up` and `down` those
    of the feed-forward part."""

    @model_validator(mode="after")
    def _distinct(self) -> "LoraSettings":
        if not self.targets or len(set(self.targets)) != len(self.targets):
            raise ValueError("targets must name at least one, none twice")
        return self


class VectorCacheSettings(Section):
    """Reuse of text vectors from earlier steps, without a gradient. Only where layers of the encoder learn."""

    probability: Fraction = 0.0
    """Probability with which a vector that is young enough is reused instead of encoded again; 0 = never, larger is
    faster and less exact."""
    max_age: Count = 50
    """Age in steps from which a vector is too old for reuse by `probability`; smaller is more exact."""
    max_tokens: Count | None = None
    """Most tokens encoded with a gradient per step and replica; further texts reuse their vectors of any age. `null` =
    no limit."""


class FinetuneSettings(Section):
    """How the intensity model is trained."""

    epochs: CountOrZero = 5
    """Most passes over the impressions, or over the events of a log without impressions; `patience` may stop
    earlier."""
    history_epochs: CountOrZero = 0
    """Passes of a first phase that predicts each next event within the train histories; worth trying where histories
    hold more events than there are impressions."""
    batch_size: Count = 32
    """Impressions per step over all devices. Larger is faster per impression, takes more memory and may want a higher
    learning rate."""
    batch_tokens: Count | None = None
    """A step also ends before the texts of its distinct items exceed this many tokens, which bounds memory; `null` = no
    such limit."""
    accumulate: Count = 1
    """Parts into which a step's batch is divided, worked on one after the other: less memory, equal gradients."""
    max_history: Count = 50
    """Most recent events of a user's history that are read; more cost time."""
    user_tower: Literal["items", "text"] = "items"
    """How a user is represented: `items` by the weighted vectors of the history's items, `text` by encoding the
    history's texts as one text, latest first, which costs much more."""
    user_tokens: Annotated[int, Field(ge=3)] = 128
    """Tokens of a user's text with `user_tower: text`; at most what the encoder takes."""
    similarity: Literal["history", "user"] = "history"
    """What a candidate is compared with: `history`, the events that resemble it, or `user`, the user's vector, which
    ranks a large catalogue many times as fast."""
    negatives: NegativeSettings = NegativeSettings()
    """Where negatives come from."""
    trainable_layers: CountOrZero = 0
    """Top layers of the encoder that learn; 0 keeps it frozen, so that each text is encoded once. More cost much more
    time."""
    lora: LoraSettings | None = None
    """Low-rank adapters in the layers that learn; `null` = their weights learn directly."""
    vector_cache: VectorCacheSettings = VectorCacheSettings()
    """Reuse of text vectors from earlier steps."""
    learning_rate: Positive = 1e-3
    """Peak learning rate of towers and head. Lower it where the loss jumps, raise it where it falls slowly."""
    encoder_learning_rate: Positive = 2e-5
    """Peak learning rate of the encoder's top layer, where layers learn."""
    layer_decay: AboveZero = 1.0
    """Learning rate of each layer of the encoder relative to that of the layer above it; 1 = all learn at one rate."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """Learning rates after the warm-up: `linear` falls to 0 in a line, `cosine` in half a cosine, `constant` stays."""
    warm_up: BelowOne = 0.1
    """Share of each phase in which the learning rates rise from 0 to their peak."""
    weight_decay: NotNegative = 0.01
    """Decay of the weights in AdamW; larger keeps weights smaller, against over-fitting."""
    clip: Positive = 1.0
    """Largest norm of the gradient; longer ones are scaled down to it."""
    hidden: list[Count] = [64]
    """Widths of the hidden layers of the MLP head. One layer ranks large catalogues fastest."""
    dropout: BelowOne = 0.1
    """Share of values dropped in towers and head in training, and of items' attributes left out; larger acts against
    over-fitting."""
    encoder_dropout: BelowOne = 0.1
    """Share of values dropped in the encoder's layers that learn."""
    label_smoothing: BelowOne = 0.0
    """Share by which labels are drawn towards uncertainty; 0 = labels as they are."""
    losses: LossSettings = LossSettings(intensity=1.0, softmax=1.0)
    """Weights of the losses that are added up."""
    calibration: Literal["sigmoid", "temperature", "isotonic", "none"] = "sigmoid"
    """How scores become intensities, fitted on half of valid: `sigmoid` by scale and shift, `temperature` by scale
    alone, `isotonic` by any rising steps (needs many labels), `none` as they are."""
    patience: Count = 2
    """Epochs without a gain on half of valid after which a phase stops."""

    @model_validator(mode="after")
    def _user(self) -> "FinetuneSettings":
        if self.user_tower != "text" and self.user_tokens != 128:
            raise ValueError("user_tokens belongs to user_tower: text")
        return self

    @model_validator(mode="after")
    def _learning(self) -> "FinetuneSettings":
        if self.lora is not None and not self.trainable_layers:
            raise ValueError("lora needs layers to learn in; set trainable_layers")
        if self.vector_cache != VectorCacheSettings() and not self.trainable_layers:
            raise ValueError("vector_cache needs layers that learn, frozen vectors are all kept; set trainable_layers")
        return self


class EvaluateSettings(Section):
    """What is measured, how sure it must be, and the quality gate."""

    metrics: list[Annotated[str, AfterValidator(is_known_metric)]] = [
        *("auc", "mrr", "rr", "ndcg@5", "ndcg@10", "hit@10", "recall@20", "map@10"),
        *("rmse", "logloss", "mae", "brier", "ece", "spearman"),
    ]
    """Metrics that are computed; `@k` stands for the first k places. docs/evaluation.md defines each of them."""
    gain: Literal["binary", "graded"] = "binary"
    """Gain of a candidate in `ndcg`: `binary` 1 where relevant, `graded` its label."""
    bootstrap: Count = 1000
    """Resamples over users behind each interval and test; more give finer p-values (at least 1 / (1 + bootstrap)) and
    take longer."""
    min_users: Count = 1
    """Fewest distinct users behind any figure of the report and of `describe`; smaller groups are withheld. 1 =
    everything is shown."""
    require: list[Annotated[str, AfterValidator(validate_bound)]] = []
    """Bounds that `interestrec` must keep, such as `impressions:warm_users/auc>=0.62`; otherwise `evaluate` writes the
    report and ends with status 1."""
    not_worse_than: Path | None = None
    """An earlier report, or a workspace that has one; where quality fell since, `evaluate` writes the report and ends
    with status 1. `null` = no comparison."""


class RuntimeSettings(Section):
    """How to run: devices, memory, keys. Of these only `precision` enters an artifact's digest."""

    device: Literal["auto", "cpu", "gpu"] = "auto"
    """Where training and scoring run: `auto` on a GPU where there is one, `cpu`, or `gpu`, which fails where there is
    none."""
    distribution: Literal["auto", "single", "mirrored", "multi_worker"] = "auto"
    """Devices that train together: `single` one, `mirrored` all of this machine, `multi_worker` the machines in
    `TF_CONFIG`, `auto` chooses by `TF_CONFIG` and the number of GPUs."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Number format of the encoder's matrix products: `float32`; `bfloat16` or `float16` are faster on GPUs and less
    exact."""
    tensorboard: Path | None = None
    """Directory for TensorBoard scalars of training; `null` = none are written."""
    threads: Count | None = None
    """Most CPU threads; `null` = one per core."""
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 60.0
    """Seconds between checkpoints of a training run, from which a run that was cut off resumes; 0 = after every
    step."""
    encryption_key: KeySource | None = None
    """File of the key (mode 0600, at least 32 bytes), or `fd:N` for an open descriptor, that Parquet artifacts are
    encrypted with; `null` = no encryption."""
    memory: Positive = 2.0
    """GiB of memory that the database of `preprocess` may use before it spills to disk."""


class Settings(Section):
    """One configuration serves all stages; every section but `data` and `encoders` may be left out."""

    version: Literal[1] = 1
    """Version of the configuration's format; there is only 1."""
    workspace: Path = Path("workspace")
    """Directory for artifacts, caches and locks, relative to the working directory; one per data set and purpose."""
    seed: CountOrZero = 42
    """Seed of everything random. Equal inputs, settings and seed give equal artifacts; other seeds show how much is
    chance."""
    data: Annotated[AnyData, Field(discriminator="format")]
    """Where the raw files are and what their columns mean."""
    items: ItemsSettings = ItemsSettings()
    """What the model sees of an item."""
    preprocess: PreprocessSettings = PreprocessSettings()
    """Cleaning, split and intensity."""
    encoders: dict[str, EncoderSettings] = Field(min_length=1, max_length=1)
    """The text encoder under a name, usually `text`, to which `items.fields` refers; exactly one."""
    pretrain_adapt: PretrainAdaptSettings = PretrainAdaptSettings()
    """How the encoder goes on learning from the corpus's texts."""
    finetune: FinetuneSettings = FinetuneSettings()
    """How the intensity model is trained."""
    rank: RankSettings = RankSettings()
    """Which systems are fitted, and how lists are made."""
    evaluate: EvaluateSettings = EvaluateSettings()
    """What is measured, and the quality gate."""
    runtime: RuntimeSettings = RuntimeSettings()
    """Devices, memory and keys."""

    @model_validator(mode="after")
    def _consistent(self) -> "Settings":
        for position, field in enumerate(self.items.fields):
            if isinstance(field, TextField) and field.encoder not in self.encoders:
                near = suggestion(field.encoder, self.encoders)
                raise ValueError(f"items.fields.{position}.encoder: no encoder '{field.encoder}' under encoders{near}")
        if self.preprocess.intensity.values and self.data.relevant_at is None:
            raise ValueError("data.relevant_at: must be given where values are mapped to intensities")
        verified = self.preprocess.split.verified
        if verified is not None and verified.resolve() == self.workspace.resolve():
            raise ValueError("preprocess.split.verified: is the workspace of this run itself; give this run another")
        return self

    @property
    def encoder(self) -> EncoderSettings:
        """The text encoder."""
        return next(iter(self.encoders.values()))

    def lineage(self, *sections: str) -> dict[str, Any]:
        """The named sections as JSON values for an artifact's recipe, without paths and without the gate.

        Paths say where bytes are, not what they are; their content enters through input digests. The gate asks
        something of a report and changes nothing in it.
        """
        gate = {"evaluate": {"require", "not_worse_than"}}
        values = self.model_dump(mode="json", include=set(sections), exclude=gate)
        values.get("data", {}).pop("root", None)
        values.get("preprocess", {}).pop("pseudonym_key", None)
        values.get("preprocess", {}).get("split", {}).pop("verified", None)
        values.get("rank", {}).get("rules", {}).pop("available", None)
        for encoder in values.get("encoders", {}).values():
            encoder.pop("source")
        return values
