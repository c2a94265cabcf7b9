"""The whole configuration: one YAML file serves all stages.

Each section is defined in the package that it configures, so that a loss, a format or a scorer comes with its keys.
This module combines the sections and checks the rules between them.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from interestrec.config.runtime_settings import RuntimeSettings
from interestrec.core.choices import suggestion
from interestrec.core.errors import ConfigError
from interestrec.core.section import CountOrZero, Section
from interestrec.corpus.item_settings import KINDS, ItemsSettings, TextField
from interestrec.corpus.own_fields import OwnField
from interestrec.corpus.preprocess_settings import PreprocessSettings
from interestrec.corpus.split import windows_refusal
from interestrec.corpus.user_settings import UsersSettings
from interestrec.encoding.encoder_settings import EncoderSettings
from interestrec.evaluation.evaluate_settings import EvaluateSettings
from interestrec.formats.readers import AnyData
from interestrec.pretraining.pretrain_adapt_settings import PretrainAdaptSettings
from interestrec.scoring.rank_settings import RankSettings
from interestrec.training.finetune_settings import FinetuneSettings


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
    encoders: dict[str, EncoderSettings] = Field(min_length=1, max_length=1)
    """The text encoder under a name, usually `text`, to which `items.fields` refers; exactly one."""
    pretrain_adapt: PretrainAdaptSettings = PretrainAdaptSettings()
    """Continued pretraining of the encoder on the texts of the corpus."""
    finetune: FinetuneSettings = FinetuneSettings()
    """Training of the intensity model."""
    rank: RankSettings = RankSettings()
    """Systems to fit, and how lists are made."""
    evaluate: EvaluateSettings = EvaluateSettings()
    """Metrics and the quality gate."""
    runtime: RuntimeSettings = RuntimeSettings()
    """Devices, memory and keys."""

    @model_validator(mode="after")
    def _consistent(self) -> "Settings":
        for position, field in enumerate(self.items.fields):
            if isinstance(field, TextField) and field.encoder not in self.encoders:
                hint = suggestion(field.encoder, self.encoders)
                raise ValueError(f"items.fields.{position}.encoder: no encoder '{field.encoder}' under encoders{hint}")
        self._check_columns("items", KINDS)
        self._check_columns("users", ())
        if self.preprocess.intensity.values and self.data.relevant_at is None:
            raise ValueError("data.relevant_at: must be set if preprocess.intensity.values maps values to intensities")
        verified = self.preprocess.split.verified
        if verified is not None and verified.resolve() == self.workspace.resolve():
            raise ValueError("preprocess.split.verified: is the workspace of this run; use another workspace here")
        return self

    def _check_columns(self, table: Literal["items", "users"], built_in: Collection[str]) -> None:
        """Check that every column that fields of items or users read is one that `preprocess` keeps."""
        kept = self.data.kept_columns(table)
        for position, field in enumerate(getattr(self, table).fields):
            if not isinstance(field, OwnField) or field.name in built_in or field.source in kept.names:
                continue
            key, choices = ("name", [*built_in, *kept.names]) if field.column is None else ("column", kept.names)
            advice = f"list it in {kept.key}" if kept.key else f"the format {self.data.format} keeps none of {table}"
            raise ValueError(
                f"{table}.fields.{position}.{key}: no column '{field.source}' is kept with the {table}"
                f"{suggestion(field.source, choices)}; {advice}"
            )

    @property
    def encoder(self) -> EncoderSettings:
        """The text encoder."""
        return next(iter(self.encoders.values()))

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
        return values
