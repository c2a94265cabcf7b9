"""The whole configuration: one YAML file serves all stages.

The sections stand in the rooms that they configure, so that a loss, a format or a scorer brings its keys with it; this
module puts them together and checks what concerns several of them.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from interestrec.config.runtime_settings import RuntimeSettings
from interestrec.core.choices import suggestion
from interestrec.core.section import CountOrZero, Section
from interestrec.corpus.item_settings import ItemsSettings, TextField
from interestrec.corpus.preprocess_settings import PreprocessSettings
from interestrec.encoding.encoder_settings import EncoderSettings
from interestrec.evaluation.evaluate_settings import EvaluateSettings
from interestrec.formats.readers import AnyData
from interestrec.pretraining.pretrain_adapt_settings import PretrainAdaptSettings
from interestrec.scoring.rank_settings import RankSettings
from interestrec.training.finetune_settings import FinetuneSettings


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
