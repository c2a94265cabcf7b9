"""The settings of tasks: what they stand for, and what is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from interestrec.training.finetune_settings import FinetuneSettings
from interestrec.training.task_settings import single_tasks


def test_shorthand_is_written_out_and_kinds_have_labels() -> None:
    tasks = {
        "all": {"kind": "multi_event", "events": ["view", "purchase"], "weight": 2, "negatives": True},
        "stars": {"kind": "rating"},
        "grade": {"kind": "intensity", "label": "intensity where event == view"},
    }
    found = single_tasks(FinetuneSettings.model_validate({"tasks": tasks}).tasks)
    assert {name: task.label for name, task in found.items()} == {
        "view": "event == 'view'",
        "purchase": "event == 'purchase'",
        "stars": "value",
        "grade": "intensity where event == view",
    }
    assert found["view"].weight == 2
    assert found["purchase"].negatives is True


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks": {"a": {"kind": "binary"}}}, "kind binary needs a label, such as event == purchase"),
        ({"tasks": {"a": {"kind": "multi_event"}}}, "kind multi_event needs events"),
        ({"tasks": {"a": {"kind": "multi_event", "events": ["x"], "label": "value"}}}, "label does not belong"),
        ({"tasks": {"a": {"kind": "count", "events": ["x"]}}}, "events belongs to kind: multi_event, not to count"),
        ({"tasks": {"a": {"kind": "count", "negatives": True}}}, "negatives belongs to kind: binary or multi_event"),
        ({"tasks": {"a": {"kind": "count", "label": "valu"}}}, r"position 1, found 'valu' \(did you mean 'value'\?\)"),
        ({"tasks": {"a": {"kind": "count", "weight": 0}}}, "greater than 0"),
        ({"tasks": {"a": {"kind": "counts"}}}, "Input should be 'intensity', 'binary'"),
        ({"tasks": {"order": {"kind": "count"}}}, "cannot be called 'order', which `rank_by` has"),
        ({"tasks": {"a b": {"kind": "count"}}}, "cannot be called 'a b'"),
        (
            {"tasks": {"x": {"kind": "count"}, "all": {"kind": "multi_event", "events": ["x"]}}},
            "two tasks are called 'x'; rename one",
        ),
        ({"experts": 2}, "experts are shared by tasks"),
        ({"rank_by": "buy"}, r"rank_by: 'buy': no task is called 'buy' \(position 1\); there are: order"),
        ({"tasks": {"buys": {"kind": "count"}}, "rank_by": "buy"}, r"did you mean 'buys'\?"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        FinetuneSettings.model_validate(changes)
