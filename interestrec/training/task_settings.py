"""The section `finetune.tasks`: what the model predicts besides the intensity, and by which formula it ranks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import model_validator

from interestrec.core.section import Choice, Positive, Section
from interestrec.model.rank_formula import ORDER
from interestrec.model.tasks import TASKS
from interestrec.training.label_expressions import parse_label

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class TaskSettings(Section):
    """A task: what is predicted of an event, and how much that counts in training."""

    kind: Annotated[str, Choice(TASKS)]
    """What the label is, which sets loss, calibration and metrics."""
    label: str | None = None
    """The number to predict: `value`, `intensity`, `value where event == play`, or a condition such as `event in (cart,
    purchase)` or `value >= 4`, which is 1 where it holds. `null` = the kind's own: `intensity` or `value`."""
    events: list[str] = []
    """With `kind: multi_event`, the types of events that get a task each."""
    weight: Positive | Literal["learned"] = 1.0
    """Weight of the task's loss; larger attends more to it. `learned` weighs tasks by how sure they can be (Kendall et
    al. 2018); for several tasks of different scales."""
    negatives: bool | None = None
    """Whether sampled negatives count as 0, of kind `binary`: the probability is then among all items, not among
    events. `null` = only if the labels of all events are equal."""

    @model_validator(mode="after")
    def _read(self) -> TaskSettings:
        kind = TASKS[self.kind]
        expands = bool(kind.tasks("", ["event"]))
        if expands and not self.events:
            raise ValueError(f"kind {self.kind} needs events, a list of types such as [view, purchase]")
        if expands and self.label is not None:
            raise ValueError(f"label does not belong to kind {self.kind}, whose labels are its events")
        if self.events and not expands:
            owners = [name for name, other in TASKS.items() if other.tasks("", ["event"])]
            raise ValueError(f"events belongs to kind: {' or '.join(owners)}, not to {self.kind}")
        if self.negatives is not None and not kind.takes_negatives:
            owners = [name for name, other in TASKS.items() if other.takes_negatives]
            raise ValueError(f"negatives belongs to kind: {' or '.join(owners)}, not to {self.kind}")
        if not expands and self.label is None and kind.label is None:
            raise ValueError(f"kind {self.kind} needs a label, such as event == purchase")
        if self.label is not None:
            parse_label(self.label)
        return self


def single_tasks(tasks: Mapping[str, TaskSettings]) -> dict[str, TaskSettings]:
    """Return one entry per task of the model, with its label: kinds that are shorthand are written out.

    Raises:
        ValueError: a name cannot be one of a task, or two tasks have one name.
    """
    found: dict[str, TaskSettings] = {}
    for name, task in tasks.items():
        kind = TASKS[task.kind]
        written = kind.tasks(name, task.events) or {name: task.label or str(kind.label)}
        for own, label in written.items():
            if own == ORDER or not _NAME.fullmatch(own):
                reason = (
                    "which `rank_by` has for the logit of order" if own == ORDER else "not letters, digits, _ and -"
                )
                raise ValueError(f"tasks: a task cannot be called '{own}', {reason}; give it a name of its own")
            if own in found:
                raise ValueError(f"tasks: two tasks are called '{own}'; rename one")
            found[own] = task.model_copy(update={"label": label, "events": []})
    return found
