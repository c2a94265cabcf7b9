"""The objective `views`: matches two dropout views of each text within the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interestrec.pretraining.contrastive_texts import ContrastiveObjectiveSettings, ContrastiveTexts
from interestrec.pretraining.text_objective import TextObjective

if TYPE_CHECKING:
    from interestrec.model.encoder import Encoder
    from interestrec.text.tokenizer import Tokenizer


def views(encoder: Encoder, tokenizer: Tokenizer, settings: ContrastiveObjectiveSettings) -> ContrastiveTexts:
    """Create the task of SimCSE (Gao et al. 2021, section 3)."""
    return ContrastiveTexts("views", 1, encoder, settings.temperature)


VIEWS = TextObjective(
    views,
    "matches two dropout views of a text within the batch (SimCSE)",
    ContrastiveObjectiveSettings,
    compares=True,
)
