"""The registry of user towers by the values of `finetune.user_tower`."""

from typing import NamedTuple


class UserTower(NamedTuple):
    """How the model represents a user: by the items of the history, or by a text that the encoder reads."""

    reads_text: bool  # the history becomes one text (see TextUser), which is its only item
    summary: str
    blocks: int = 0  # transformer blocks over the history


USER_TOWERS = {
    "items": UserTower(reads_text=False, summary="by the weighted vectors of the history's items"),
    "sequence": UserTower(
        reads_text=False, summary="by a transformer over the history's items, their order and times", blocks=2
    ),
    "text": UserTower(
        reads_text=True, summary="by encoding the history's texts as one text, latest first, which costs much more"
    ),
}
