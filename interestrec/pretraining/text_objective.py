"""TextObjective: the definition of an adaptation objective."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from interestrec.core.section import Section

if TYPE_CHECKING:
    from interestrec.model.encoder import Encoder
    from interestrec.pretraining.text_task import TextTask
    from interestrec.text.tokenizer import Tokenizer


class TextObjective(NamedTuple):
    """The definition of one objective; an entry of OBJECTIVES in text_objectives.py."""

    make: Callable[[Encoder, Tokenizer, Any], TextTask]  # takes the encoder, its tokenizer and the objective's settings
    summary: str
    settings: type[Section]  # the keys of `pretrain_adapt` that only some objectives read
    sides: tuple[tuple[str, ...], ...] = ()  # item fields per side; () is one side of `items.fields`
    compares: bool = False  # whether it compares the texts of a part of a batch, so that a part needs two texts
