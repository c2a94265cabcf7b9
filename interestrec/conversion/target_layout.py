"""The contract of a target layout: a function that writes the portable tables as the files of another tool."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from interestrec.rawfiles.raw_log import RawLog


@dataclass
class Destination:
    """Where a layout writes, and the sentences on what its files do not hold."""

    directory: Path
    name: str  # of the data set
    by_split: bool  # one file of events per split
    losses: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class TargetLayout:
    """An entry of the registry of target layouts."""

    summary: str
    write: Callable[[RawLog, Destination], None]  # after `settle_log` or `settle_corpus`
    is_text: bool  # text files cannot be encrypted
