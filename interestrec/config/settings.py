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
from interestrec.core.section import AboveZero, BelowOne, Count, CountOrZero, Fraction, NotNegative, Positive, Section
from interestrec.io.keys import KeySource


class EncoderSettings(Section):
    source: Path  # directory in Hugging Face layout: config.json, model.safetensors, tokenizer files
    pooling: Literal["mean", "cls", "attention"] = "mean"  # attention learns in finetune, from the mean on


class LossSettings(Section):
    """Weights of the losses that are added up; those that are not named are left out."""

    intensity: NotNegative = 0.0  # graded cross-entropy of each known label
    softmax: NotNegative = 0.0  # over the candidates of a list, its positives against the others
    listnet: NotNegative = 0.0  # over the candidates of a list, against the softmax of their labels
    pairwise: NotNegative = 0.0  # logistic, of every two candidates whose labels differ
    huber: NotNegative = 0.0  # of the error of each known label

    @model_validator(mode="after")
    def _something(self) -> "LossSettings":
        if not any(weight > 0 for _, weight in self):
            raise ValueError("at least one weight must be above 0")
        return self


class NegativeSettings(Section):
    """What a positive event is told apart from, where an impression has no other candidates."""

    # by popularity^exponent or alike among items that are liked in train; or the positives of the rest of the batch,
    # corrected for their popularity; or, hard, every second by popularity^exponent and the others the most similar to
    # the history's mean out of `pool` items drawn so for the batch, by vectors made anew each epoch
    source: Literal["popularity", "uniform", "in_batch", "hard"] = "popularity"
    count: Count = 20  # drawn an event; with in_batch for validation alone, which always draws by popularity
    exponent: NotNegative = 1.0
    pool: Count = 200

    @model_validator(mode="after")
    def _one_meaning(self) -> "NegativeSettings":
        if self.source not in ("popularity", "hard") and self.exponent != 1:
            raise ValueError(f"exponent belongs to source: popularity and source: hard, not to {self.source}")
        if self.source != "hard" and self.pool != 200:
            raise ValueError(f"pool belongs to source: hard, not to {self.source}")
        return self


class LoraSettings(Section):
    """Adapters in the layers that learn, in place of their weights; merged when the model is saved."""

    rank: Count = 8
    alpha: Positive = 16.0  # adapters count alpha / rank times
    targets: list[Literal["qkv", "output", "up", "down"]] = ["qkv"]  # matrices of a layer

    @model_validator(mode="after")
    def _distinct(self) -> "LoraSettings":
        if not self.targets or len(set(self.targets)) != len(self.targets):
            raise ValueError("targets must name at least one, none twice")
        return self


class VectorCacheSettings(Section):
    """Vectors of texts from earlier steps, taken once more without a gradient. Only where layers learn."""

    probability: Fraction = 0.0  # of taking one that is young enough; 0 = never
    max_age: Count = 50  # steps; older ones are encoded again
    max_tokens: Count | None = None  # encoded with a gradient a step and replica; texts beyond take theirs at any age


class FinetuneSettings(Section):
    epochs: CountOrZero = 5
    history_epochs: CountOrZero = 0  # first phase: next event within every train timeline
    batch_size: Count = 32  # impressions a step, over all replicas
    batch_tokens: Count | None = None  # a step also ends before the texts of its distinct items have more tokens
    accumulate: Count = 1  # parts of a step's batch worked on one after the other: less memory, equal gradients
    max_history: Count = 50  # most recent events of the history
    # a user is the vectors of these events' items, weighed; or one text for the encoder, their texts, the latest first
    user_tower: Literal["items", "text"] = "items"
    user_tokens: Annotated[int, Field(ge=3)] = 128  # of a user's text; at most what the encoder takes
    # what a candidate is compared with: the part of the history that speaks of it, or the user's vector, which ranks a
    # large catalogue many times as fast
    similarity: Literal["history", "user"] = "history"
    negatives: NegativeSettings = NegativeSettings()
    trainable_layers: CountOrZero = 0  # top layers of the encoder that learn; 0 = frozen vectors
    lora: LoraSettings | None = None
    vector_cache: VectorCacheSettings = VectorCacheSettings()
    learning_rate: Positive = 1e-3
    encoder_learning_rate: Positive = 2e-5  # of the top layer
    layer_decay: AboveZero = 1.0  # each layer learns so many times as fast as the one above it
    schedule: Literal["linear", "cosine", "constant"] = "linear"  # of the learning rates after the warm-up
    warm_up: BelowOne = 0.1  # share of each phase in which the rates rise
    weight_decay: NotNegative = 0.01
    clip: Positive = 1.0  # largest norm of the gradient
    hidden: list[Count] = [64]  # widths of the MLP head
    dropout: BelowOne = 0.1  # of the towers and the head, and of items' attributes
    encoder_dropout: BelowOne = 0.1  # of the layers that learn
    label_smoothing: BelowOne = 0.0
    losses: LossSettings = LossSettings(intensity=1.0, softmax=1.0)
    # from logits to intensities on valid_blend: scale and shift, scale alone, any non-decreasing map, or as they are
    calibration: Literal["sigmoid", "temperature", "isotonic", "none"] = "sigmoid"
    patience: Count = 2  # evaluations without a gain on valid_select before stopping

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
    metrics: list[Annotated[str, AfterValidator(is_known_metric)]] = [
        *("auc", "mrr", "rr", "ndcg@5", "ndcg@10", "hit@10", "recall@20", "map@10"),
        *("rmse", "logloss", "mae", "brier", "ece", "spearman"),
    ]
    gain: Literal["binary", "graded"] = "binary"  # of ndcg
    bootstrap: Count = 1000  # resamples over users behind each interval
    min_users: Count = 1  # least users behind a figure of the report and of describe; 1 = all is told
    # the gate, outside the report's digest: where it does not hold, evaluate writes the report and ends with status 1
    require: list[Annotated[str, AfterValidator(validate_bound)]] = []  # such as impressions:warm_users/auc>=0.62
    not_worse_than: Path | None = None  # an earlier report, or the workspace that has it


class RuntimeSettings(Section):
    """How to run; outside an artifact's digest."""

    device: Literal["auto", "cpu", "gpu"] = "auto"
    # single device, all of this machine (mirrored), all of the machines in TF_CONFIG (multi_worker)
    distribution: Literal["auto", "single", "mirrored", "multi_worker"] = "auto"
    precision: Literal["float32", "bfloat16", "float16"] = "float32"  # of the encoder's matrix products
    tensorboard: Path | None = None  # directory for TensorBoard scalars of training
    threads: Count | None = None  # None = all cores
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 60.0  # between checkpoints of a training run; 0 = every step
    encryption_key: KeySource | None = None  # file of the key (or fd:N) that Parquet artifacts are encrypted with
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
