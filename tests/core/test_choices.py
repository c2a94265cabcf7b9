"""Look-up by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interestrec.core.choices import pick, suggestion
from interestrec.core.errors import ConfigError
from tests.examples import examples


def test_pick_finds_or_names_the_choices() -> None:
    assert pick({"a": 1}, "a", "loss") == 1
    with pytest.raises(
        ConfigError, match=r"unknown loss 'softmx' \(did you mean 'softmax'\?\); choose from: bce, softmax"
    ):
        pick({"softmax": 1, "bce": 2}, "softmx", "loss")


NAMES = st.lists(st.text("abcde", min_size=1, max_size=6), min_size=1, max_size=6, unique=True)


@examples(100)
@given(NAMES, st.text("abcdef", max_size=7))
def test_pick_gives_what_there_is_and_names_all_choices_otherwise(names: list[str], wanted: str) -> None:
    catalogue = {name: number for number, name in enumerate(names)}
    if wanted in catalogue:
        assert pick(catalogue, wanted, "loss") == catalogue[wanted]
        assert suggestion(wanted, names) == f" (did you mean '{wanted}'?)"
        return
    with pytest.raises(ConfigError) as refused:
        pick(catalogue, wanted, "loss")
    assert all(name in str(refused.value) for name in names)
    assert not suggestion(wanted, names) or suggestion(wanted, names)[16:-3] in names
