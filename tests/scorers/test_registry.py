"""Look-ups in the registry of scorers, and what importing it costs."""

import subprocess
import sys

import pytest

from interestrec.core.errors import ConfigError
from interestrec.scorers.registry import component_scorer, required_scorers


def test_a_scorer_comes_behind_those_that_it_is_fitted_on_and_none_comes_twice() -> None:
    assert required_scorers(["als", "item_item", "popularity", "als"]) == ["item_knn", "als", "item_item", "popularity"]
    assert required_scorers([]) == []


def test_an_unknown_name_is_answered_with_what_to_write() -> None:
    with pytest.raises(ConfigError, match=r"'no_such'.* add 'no_such' to SCORERS in interestrec/scorers/registry.py"):
        required_scorers(["als", "no_such"])
    with pytest.raises(ConfigError, match=r"unknown scorer 'popularty' \(did you mean 'popularity'\?\)"):
        required_scorers(["popularty"])
    with pytest.raises(ConfigError, match=r"'colaborative' \(did you mean 'collaborative'\?\).* component='colab"):
        component_scorer("colaborative")


def test_the_settings_of_scorers_load_nothing_heavy() -> None:
    heavy = ["numpy", "scipy", "sklearn", "implicit", "pyarrow", "pandas", "tensorflow", "keras"]
    code = f"import sys, interestrec.scorers.registry; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
