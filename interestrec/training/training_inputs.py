"""The inputs of fine-tuning."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from interestrec.corpus.feature_codes import FittedFeatures
from interestrec.corpus.store import Corpus
from interestrec.encoding.item_encoders import ModalVectors
from interestrec.model.modality import Modality
from interestrec.model.two_tower import TwoTower
from interestrec.model.two_tower_config import ItemArrays, TextUser
from interestrec.training.finetune_settings import FinetuneSettings
from interestrec.training.item_texts import ItemTexts
from interestrec.workspace.reference_run import ReferenceRun


@dataclass(frozen=True)
class TrainingInputs:
    """The inputs of fine-tuning."""

    settings: FinetuneSettings
    seed: int
    corpus: Corpus
    texts: ItemTexts | None  # None = no encoder of texts; there are other modalities
    others: ModalVectors  # of the other encoders
    attributes: FittedFeatures  # of the items
    user_features: FittedFeatures
    repeats: bool = False  # whether lists may hold items of the history
    # mean ndcg@10 of valid_select's lists over the catalogue, None if there are none
    judge: Callable[[TwoTower, ItemArrays], float | None] | None = None
    user_text: TextUser | None = None  # if users are represented by texts
    start: Path | None = None  # a `model` artifact with the initial weights
    reference_run: ReferenceRun | None = None  # its epochs and calibration replace choices on valid

    @property
    def items(self) -> int:
        """Number of items."""
        return self.corpus.items.num_rows

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """What the encoders read of items, in the order of their vectors."""
        own = () if self.texts is None else (Modality(self.texts.modality, self.texts.encoder.width),)
        return (*own, *self.others.modalities)
