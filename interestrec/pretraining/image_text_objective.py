"""The objective `image_text`: matches the picture and the texts of each item within the batch (CLIP)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interestrec.pretraining.contrastive_texts import ContrastiveObjectiveSettings, ContrastiveTexts
from interestrec.pretraining.text_objective import TextObjective

if TYPE_CHECKING:
    from interestrec.model.encoder import Encoder
    from interestrec.model.picture_tower import PictureTower
    from interestrec.text.tokenizer import Tokenizer


def image_text(
    encoder: Encoder, tokenizer: Tokenizer, settings: ContrastiveObjectiveSettings, pictures: PictureTower
) -> ContrastiveTexts:
    """Create the task of CLIP (Radford et al. 2021) with a fixed temperature; the sides are a text and a picture."""
    return ContrastiveTexts("image_text", 2, encoder, settings.temperature, pictures)


IMAGE_TEXT = TextObjective(
    image_text,
    "matches the picture of an item with its texts, and trains both encoders (CLIP)",
    ContrastiveObjectiveSettings,
    compares=True,
    has_pictures=True,
)
