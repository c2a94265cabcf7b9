"""Look-up by name."""

import pytest

from interestrec.core.catalogue import pick
from interestrec.core.errors import ConfigError


def test_pick_finds_or_names_the_choices() -> None:
    assert pick({"a": 1}, "a", "loss") == 1
    with pytest.raises(
        ConfigError, match=r"unknown loss 'softmx' \(did you mean 'softmax'\?\); choose from: bce, softmax"
    ):
        pick({"softmax": 1, "bce": 2}, "softmx", "loss")
