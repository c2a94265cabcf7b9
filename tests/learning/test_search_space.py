"""Spaces: what a grid becomes, and how the configuration changes it."""

import pytest
from pydantic import ValidationError

from interestrec.learning.search_space import Alternatives, Range, dimension_of_grid, search_space
from interestrec.learning.tune_settings import DimensionSettings
from interestrec.scorers.registry import SCORERS
from interestrec.training.finetune_settings import FinetuneSettings


@pytest.mark.parametrize(
    ("grid", "dimension"),
    [
        ([16, 32, 64, 128, 256], Range(16, 256, logarithmic=True, whole=True)),
        ([0.03, 0.05, 0.07, 0.1, 0.2], Range(0.03, 0.2, logarithmic=False, whole=False)),
        ([3.0, 1.0, 300.0, 30.0], Range(1.0, 300.0, logarithmic=True, whole=False)),
        ([0.0, 3.0, 10.0, 30.0], Alternatives((0.0, 3.0, 10.0, 30.0))),
        ([None, 7.0, 30.0, 90.0], Alternatives((None, 7.0, 30.0, 90.0))),
        ([64, 128, 256], Alternatives((64, 128, 256))),
        ([True, False], Alternatives((True, False))),
        (["cosine", "jaccard"], Alternatives(("cosine", "jaccard"))),
    ],
)
def test_a_grid_of_positive_numbers_is_a_range(grid: list[object], dimension: object) -> None:
    assert dimension_of_grid(grid) == dimension


def test_the_configuration_narrows_widens_and_removes() -> None:
    changes = {
        "rank.ease.regularization": DimensionSettings(low=1.0, high=10.0),
        "rank.ease.half_life": None,
        "rank.ease.weak_evidence": DimensionSettings(values=[0.5]),
        "rank.als.factors": None,
    }
    space = search_space("rank.ease", {"regularization": [5.0, 6.0, 7.0, 8.0], "half_life": [None, 7.0]}, changes)
    assert space == {
        "rank.ease.regularization": Range(1.0, 10.0, logarithmic=False, whole=False),
        "rank.ease.weak_evidence": Alternatives((0.5,)),
    }


def test_ranges_and_alternatives_know_what_they_contain() -> None:
    whole = Range(2, 8, logarithmic=False, whole=True)
    assert [whole.contains(value) for value in (2, 8, 9, 2.5, True, None, "2")] == [True, True, *[False] * 5]
    values = Alternatives((None, 1.0, True))
    assert [values.contains(value) for value in (None, 1.0, True, 1, False)] == [True, True, True, False, False]


@pytest.mark.parametrize(
    "values",
    [{}, {"low": 1}, {"low": 2, "high": 1}, {"low": 0, "high": 1, "log": True}, {"values": []}, {"values": [1, 1]},
     {"values": [1], "low": 0}],
)  # fmt: skip
def test_a_dimension_that_says_nothing_or_too_much_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DimensionSettings.model_validate(values)


@pytest.mark.parametrize("name", [name for name, entry in SCORERS.items() if entry.space])
def test_every_value_of_a_space_is_one_that_the_scorer_takes(name: str) -> None:
    """The ends of ranges, which a grid need not have had, are valid settings."""
    definition = SCORERS[name]
    assert definition.settings is not None
    for key, dimension in search_space(f"rank.{name}", definition.space, {}).items():
        ends = dimension.values if isinstance(dimension, Alternatives) else (dimension.low, dimension.high)
        for value in ends:
            definition.settings.model_validate({key.rpartition(".")[2]: value})


def test_every_value_of_the_model_s_space_is_valid() -> None:
    for key, dimension in search_space("finetune", FinetuneSettings.SPACE, {}).items():
        ends = dimension.values if isinstance(dimension, Alternatives) else (dimension.low, dimension.high)
        for value in ends:
            document: object = value
            for part in key.split(".")[:0:-1]:
                document = {part: document}
            FinetuneSettings.model_validate(document)
