"""TextObjective: the definition of an adaptation objective."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from interestrec.core.section import Section

if TYPE_CHECKING:
    from interestrec.pretraining.text_task import TextTask


class TextObjective(NamedTuple):
    """The definition of one objective; an entry of OBJECTIVES in text_objectives.py."""

    make: Callable[
        ..., TextTask
    ]  # takes encoder, tokenizer, the objective's settings, and a PictureTower if it has one
    summary: str
    settings: type[Section]  # the keys of `pretrain_adapt` that only some objectives read
    sides: tuple[tuple[str, ...], ...] = ()  # item fields per side; () is one side of `items.fields`
    compares: bool = False  # whether it compares the texts of a part of a batch, so that a part needs two texts
    has_pictures: bool = False  # whether the last side is the item's picture, whose encoder learns as well
