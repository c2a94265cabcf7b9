"""Keys that belong together, of the decision."""

from typing import Any

import pytest
from interestrec.scoring.decision_settings import BlendSettings, RulesSettings
from pydantic import ValidationError

from interestrec.scoring.rank_settings import RankSettings


def test_weights_that_are_given() -> None:
    assert BlendSettings().given is None
    assert BlendSettings(method="fixed", weights={"ease": 2.0}).given == {"ease": 2.0}
    assert BlendSettings(method="single", component="ease").given == {"ease": 1.0}


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        (BlendSettings, {"method": "fixed"}, "weights belong to method: fixed"),
        (BlendSettings, {"weights": {"ease": 1.0}}, "weights belong to method: fixed"),
        (BlendSettings, {"method": "fixed", "weights": {"ease": 0.0}}, "at least one weight"),
        (BlendSettings, {"method": "single"}, "component belongs to method: single"),
        (BlendSettings, {"component": "ease"}, "component belongs to method: single"),
        (RulesSettings, {"seen_penalty": 2.0}, "belongs to seen: down"),
        (RankSettings, {"components": ["ease"], "blend": {"method": "single", "component": "trending"}}, "not among"),
        (RankSettings, {"estimators": ["bias", "bias"]}, "must not name one twice"),
    ],
)
def test_keys_that_contradict_each_other(section: Any, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        section.model_validate(values)
