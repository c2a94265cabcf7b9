"""The registry of user towers by the values of `finetune.user_tower`."""

from typing import NamedTuple


class UserTower(NamedTuple):
    """How the model represents a user: by the items of the history, or by a text that the encoder reads."""

    reads_text: bool  # the history becomes one text (see TextUser), which is its only item
    summary: str


USER_TOWERS = {
    "items": UserTower(reads_text=False, summary="by the weighted vectors of the history's items"),
    "text": UserTower(
        reads_text=True, summary="by encoding the history's texts as one text, latest first, which costs much more"
    ),
}
