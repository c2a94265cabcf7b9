"""The objective `title_text`: matches the title and the text of each item within the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interestrec.pretraining.contrastive_texts import ContrastiveObjectiveSettings, ContrastiveTexts
from interestrec.pretraining.text_objective import TextObjective

if TYPE_CHECKING:
    from interestrec.model.encoder import Encoder
    from interestrec.text.tokenizer import Tokenizer


def title_text(encoder: Encoder, tokenizer: Tokenizer, settings: ContrastiveObjectiveSettings) -> ContrastiveTexts:
    """Create the task; the two sides of a passage are title and text."""
    return ContrastiveTexts("title_text", 2, encoder, settings.temperature)


TITLE_TEXT = TextObjective(
    title_text,
    "matches a title with the text of its item",
    ContrastiveObjectiveSettings,
    sides=(("title",), ("text",)),
    compares=True,
)
