"""The whole configuration: one YAML file serves all stages.

Each section is defined in the package that it configures, so that a loss, a format or a scorer comes with its keys.
This module combines the sections and checks the rules between them.
"""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from interestrec.config.runtime_settings import RuntimeSettings
from interestrec.core.choices import suggestion
from interestrec.core.errors import ConfigError
from interestrec.core.section import CountOrZero, Section
from interestrec.corpus.item_settings import KINDS, EncodedField, ImageField, ItemsSettings, TextField
from interestrec.corpus.own_fields import OwnField
from interestrec.corpus.preprocess_settings import PreprocessSettings
from interestrec.corpus.split import SPLIT_METHODS, windows_refusal
from interestrec.corpus.user_settings import UsersSettings
from interestrec.encoding.encoder_settings import FLOAT32, AnyEncoder, TextEncoderSettings, first_of_texts
from interestrec.evaluation.evaluate_settings import EvaluateSettings
from interestrec.formats.readers import AnyData
from interestrec.learning.replay_settings import ReplaySettings
from interestrec.learning.tune_settings import TuneSettings
from interestrec.model.pooling import POOLINGS
from interestrec.model.user_towers import USER_TOWERS
from interestrec.pretraining.pretrain_adapt_settings import PretrainAdaptSettings
from interestrec.pretraining.text_objectives import OBJECTIVES
from interestrec.scoring.rank_settings import RankSettings
from interestrec.serving.serve_settings import ServeSettings
from interestrec.training.finetune_settings import FinetuneSettings


def _check_encoder_name(name: str) -> str:
    if not re.fullmatch(r"\w+", name):
        raise ValueError(f"the name '{name}' is not made of letters, digits and _ alone; choose another")
    return name


# Files and weights are named by it.
EncoderName = Annotated[str, AfterValidator(_check_encoder_name)]


class Settings(Section):
    """One configuration serves all stages; every section but `data` and `encoders` may be left out."""

    version: Literal[1] = 1
    """Version of the configuration format; always 1."""
    workspace: Path = Path("workspace")
    """Directory for artifacts, caches and locks, relative to the working directory; one per data set and purpose."""
    seed: CountOrZero = 42
    """Seed of all random numbers. Equal inputs, settings and seed give equal artifacts; several seeds show the
    variation by chance."""
    data: Annotated[AnyData, Field(discriminator="format")]
    """Location of the raw files and meaning of their columns."""
    items: ItemsSettings = ItemsSettings()
    """Texts and attributes of an item that the model uses."""
    users: UsersSettings = UsersSettings()
    """Attributes of a user that the model uses beside the history."""
    preprocess: PreprocessSettings = PreprocessSettings()
    """Cleaning, split and intensity."""
    encoders: dict[EncoderName, AnyEncoder] = Field(min_length=1)
    """What makes vectors of items, each entry under a name to which `items.fields` refers. `pretrain-adapt` and
    `finetune` may train the first encoder of texts; the others stay as they are, except that the objective `image_text`
    trains that of pictures too."""
    pretrain_adapt: PretrainAdaptSettings = PretrainAdaptSettings()
    """Continued pretraining of the encoder on the texts of the corpus."""
    finetune: FinetuneSettings = FinetuneSettings()
    """Training of the intensity model."""
    rank: RankSettings = RankSettings()
    """Systems to fit, and how lists are made."""
    evaluate: EvaluateSettings = EvaluateSettings()
    """Metrics and the quality gate."""
    tune: TuneSettings = TuneSettings()
    """Search of settings of the model and of scorers."""
    replay: ReplaySettings = ReplaySettings()
    """Policies that are replayed over history."""
    serve: ServeSettings = ServeSettings()
    """The web service."""
    runtime: RuntimeSettings = RuntimeSettings()
    """Devices, memory and keys."""

    @model_validator(mode="after")
    def _consistent(self) -> "Settings":
        self._check_encoders()
        self._check_pictures()
        self._check_arithmetic()
        self._check_columns("items", KINDS)
        self._check_columns("users", ())
        self._check_space()
        if self.preprocess.intensity.values and self.data.relevant_at is None:
            raise ValueError("data.relevant_at: must be set if preprocess.intensity.values maps values to intensities")
        if self.finetune.warm_start and not SPLIT_METHODS[self.preprocess.split.method].by_time:
            raise ValueError(
                f"finetune.warm_start: with preprocess.split.method {self.preprocess.split.method}, what was train for "
                "the earlier model may be test now; use a split by time"
            )
        if self.rank.search == "approximate" and USER_TOWERS[self.finetune.user_tower].reads_text:
            raise ValueError(
                "rank.search: approximate keeps an index in the decision, which has no place for it with "
                f"finetune.user_tower {self.finetune.user_tower}; use exact"
            )
        verified = self.preprocess.split.verified
        if verified is not None and verified.resolve() == self.workspace.resolve():
            raise ValueError("preprocess.split.verified: is the workspace of this run; use another workspace here")
        return self

    def _check_encoders(self) -> None:
        """Check that fields and encoders refer to each other, each to one of its kind."""
        for position, field in enumerate(self.items.fields):
            if field not in self.items.encoded:
                continue
            name, needed = str(field.encoder), _encoder_kind(field)
            if name not in self.encoders:
                hint = suggestion(name, self.encoders)
                raise ValueError(f"items.fields.{position}.encoder: no encoder '{name}' under encoders{hint}")
            if (kind := self.encoders[name].kind) != needed:
                raise ValueError(
                    f"items.fields.{position}.encoder: '{name}' is of kind {kind}, but a field of kind {field.kind} "
                    f"needs one of kind {needed}"
                )
        read = [field.encoder for field in self.items.encoded]
        for name, entry in self.encoders.items():
            if name not in read:
                raise ValueError(f"encoders.{name}: no field of items.fields is read by it; add one or remove it")
            if not isinstance(entry, TextEncoderSettings) and read.count(name) > 1:
                raise ValueError(f"encoders.{name}: several fields are read by it; give each an encoder of its own")

    def _check_pictures(self) -> None:
        """Check that an objective that learns from pictures has both encoders that it trains."""
        section, images = self.pretrain_adapt, [name for name, entry in self.encoders.items() if entry.kind == "image"]
        if not section.steps or not OBJECTIVES[section.objective].has_pictures:
            return
        where = f"pretrain_adapt.objective: {section.objective} trains one encoder of texts and one of pictures"
        if len(images) != 1:
            found = f"has several of kind image, {', '.join(images)}" if images else "has none of kind image"
            raise ValueError(f"{where}, but encoders {found}; name one, or choose another objective")
        if self.text_encoder is None:
            raise ValueError(f"{where}, but encoders has none of kind text; name one, or set pretrain_adapt.steps to 0")
        if section.scratch is not None:
            raise ValueError(f"{where}, both pretrained; remove pretrain_adapt.scratch")

    def _check_arithmetic(self) -> None:
        """Check that nothing is trained of an encoder that runs in integers."""
        if self.runtime.encoder == FLOAT32:
            return
        trained = {
            f"finetune.trainable_layers is {self.finetune.trainable_layers}": self.finetune.trainable_layers > 0,
            f"finetune.user_tower is {self.finetune.user_tower}": USER_TOWERS[self.finetune.user_tower].reads_text,
        } | {
            f"encoders.{name}.pooling is {entry.pooling}": POOLINGS[entry.pooling].learns_query
            for name, entry in self.text_encoders.items()
        }
        for what, is_so in trained.items():
            if is_so:
                raise ValueError(
                    f"runtime.encoder: {self.runtime.encoder} encodes the texts of items with frozen weights, but "
                    f"{what}; set runtime.encoder to {FLOAT32}"
                )

    def _check_space(self) -> None:
        """Check that `tune.space` names keys of the model or of scorers."""
        for key in self.tune.space:
            section: Any = self
            for part in key.split("."):
                names = type(section).model_fields if isinstance(section, Section) else {}
                if part not in names:
                    raise ValueError(f"tune.space.{key}: no such key{suggestion(part, names)}")
                section = getattr(section, part)
            is_searched = key.startswith("finetune.") or (key.startswith("rank.") and key.count(".") > 1)
            if isinstance(section, Section) or not is_searched:
                raise ValueError(
                    f"tune.space.{key}: expected a key of finetune or of a scorer, such as rank.ease.half_life"
                )

    def _check_columns(self, table: Literal["items", "users"], built_in: Collection[str]) -> None:
        """Check that every column that fields of items or users read is one that `preprocess` keeps."""
        kept = self.data.kept_columns(table)
        for position, field in enumerate(getattr(self, table).fields):
            if field.name in built_in or not self._reads_column(field) or field.source in kept.names:
                continue
            key, choices = ("name", [*built_in, *kept.names]) if field.column is None else ("column", kept.names)
            advice = f"list it in {kept.key}" if kept.key else f"the format {self.data.format} keeps none of {table}"
            raise ValueError(
                f"{table}.fields.{position}.{key}: no column '{field.source}' is kept with the {table}"
                f"{suggestion(field.source, choices)}; {advice}"
            )

    @staticmethod
    def _reads_column(field: Any) -> bool:
        """Whether a field reads a column that `preprocess` keeps."""
        if isinstance(field, ImageField):
            return field.file is None
        return isinstance(field, OwnField) and getattr(field, "encoder", None) is None

    @property
    def text_encoders(self) -> dict[str, TextEncoderSettings]:
        """The encoders of texts by name."""
        return {name: entry for name, entry in self.encoders.items() if isinstance(entry, TextEncoderSettings)}

    @property
    def text_encoder(self) -> str | None:
        """The name of the first encoder of texts, whose layers may learn; None without any."""
        return first_of_texts(self.encoders)

    @property
    def adapted_pictures(self) -> str | None:
        """The name of the encoder of pictures that `pretrain-adapt` trains beside that of texts; None if none."""
        if not self.pretrain_adapt.steps or not OBJECTIVES[self.pretrain_adapt.objective].has_pictures:
            return None
        return next(name for name, entry in self.encoders.items() if entry.kind == "image")

    def at_window(self, window: int) -> "Settings":
        """Return the settings of a test window; the quality gate is that of the last window, which is 1.

        Raises:
            ConfigError: the split method has no earlier windows.
        """
        split = self.preprocess.split
        if refusal := windows_refusal(split.method):
            raise ConfigError(f"preprocess.split.method: {refusal}")
        update: dict[str, Any] = {
            "preprocess": self.preprocess.model_copy(update={"split": split.model_copy(update={"window": window})})
        }
        if window > 1:
            update["evaluate"] = self.evaluate.model_copy(update={"require": [], "not_worse_than": None})
        return self.model_copy(update=update)

    def lineage(self, *sections: str) -> dict[str, Any]:
        """Return sections as JSON values for an artifact's recipe, without paths and without the gate.

        The content of files enters a recipe through input digests, not through their paths. The gate checks a report
        and does not change it.
        """
        gate = {"evaluate": {"require", "not_worse_than"}}
        values = self.model_dump(mode="json", include=set(sections), exclude=gate)
        values.get("data", {}).pop("root", None)
        values.get("preprocess", {}).pop("pseudonym_key", None)
        values.get("preprocess", {}).get("split", {}).pop("verified", None)
        values.get("rank", {}).get("rules", {}).pop("available", None)
        for encoder in values.get("encoders", {}).values():
            encoder.pop("source")
            encoder.pop("ids", None)
            if encoder["kind"] == "text":  # the recipes of runs from before there were other kinds and prompts
                del encoder["kind"]
                if not encoder["prompt"]:
                    del encoder["prompt"]
        for field in values.get("items", {}).get("fields", []):
            if "encoder" in field and field["encoder"] is None:
                del field["encoder"]
        return values


def _encoder_kind(field: EncodedField) -> str:
    """Return the kind of encoder that a field needs."""
    if isinstance(field, TextField | ImageField):
        return field.kind
    return "vectors"
