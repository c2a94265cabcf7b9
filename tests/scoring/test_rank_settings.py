"""Keys of `rank` that belong together, and sections that come from the registry of scorers."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from interestrec.scoring.rank_settings import BlendSettings, RankSettings, RulesSettings


def test_weights_that_are_not_learned() -> None:
    assert BlendSettings().fixed_weights is None
    assert BlendSettings(method="fixed", weights={"ease": 2.0}).fixed_weights == {"ease": 2.0}
    assert BlendSettings(method="single", component="ease").fixed_weights == {"ease": 1.0}


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
        (RankSettings, {"search": "approximate"}, "search: approximate finds the items of retrieve; set retrieve"),
    ],
)
def test_keys_that_contradict_each_other(section: Any, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        section.model_validate(values)


def test_the_order_of_the_keys_is_the_reading_order() -> None:
    keys = list(RankSettings.model_fields)
    assert keys[:2] == ["systems", "components"]
    assert keys[-7:] == ["users", "retrieve", "search", "exact", "candidates", "top_k", "rules"]
    assert keys.index("refit") < keys.index("trending") < keys.index("mf") < keys.index("retrieve")


def test_a_new_entry_of_the_registry_is_all_that_the_configuration_needs() -> None:
    code = """
from dataclasses import replace
from interestrec.core.section import Positive, Section
from interestrec.scorers import registry
class PathSettings(Section):
    "Settings of new_scorer."
    alpha: Positive = 1.0
entry = replace(registry.SCORERS["als"], settings=PathSettings, space={"alpha": [1.0, 2.0]}, component=None)
registry.SCORERS["new_scorer"] = entry
from interestrec.config.loading import settings_schema
from interestrec.scoring.rank_settings import RankSettings
settings = RankSettings.model_validate({"systems": ["new_scorer"], "new_scorer": {"alpha": 3}})
assert settings.scorer_settings("new_scorer") == {"alpha": 3.0}
assert "new_scorer" in RankSettings().systems
schema = settings_schema()["$defs"]["RankSettings"]["properties"]
assert "`new_scorer`" in schema["systems"]["description"]
assert schema["new_scorer"]["description"] == "Settings of `new_scorer`."
print("ok")
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "ok\n", result.stderr


def test_a_component_without_an_entry_is_unknown() -> None:
    with pytest.raises(ValidationError, match="'collaborative'"):
        RankSettings.model_validate({"components": ["als"]})
