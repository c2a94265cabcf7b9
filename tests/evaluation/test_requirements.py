"""The grammar of `--require`."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interestrec.config.loading import load_settings
from interestrec.core.errors import ConfigError
from interestrec.evaluation.requirements import COMPARISON_SIGNS, MetricBound, parse_bound

NAME = st.text("abcdefgh_@0123456789", min_size=1, max_size=8)
VALUE = st.text("ab:/=>< .-é", min_size=1, max_size=8).map(lambda text: f"x{text}x")  # of an attribute or a category


@given(
    protocol=st.none() | st.sampled_from(["impressions", "catalogue", "intensity", "beyond"]),
    part=st.none() | NAME | st.tuples(NAME, VALUE).map("=".join),
    metric=NAME,
    sign=st.sampled_from(sorted(COMPARISON_SIGNS)),
    bound=st.floats(-1e6, 1e6),
    space=st.sampled_from(["", " ", "  "]),
)
def test_what_is_written_is_read(
    protocol: str | None, part: str | None, metric: str, sign: str, bound: float, space: str
) -> None:
    before = "" if protocol is None else f"{protocol}:"
    text = f"{before}{'' if part is None else f'{part}/'}{metric}{space}{sign}{space}{bound!r}"
    assert parse_bound(text) == MetricBound(text, protocol, part, metric, sign, bound)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("auc", "cannot be read"),
        ("auc 0.6", "cannot be read"),
        ("auc==0.6", "cannot be read"),
        ("auc>=", "cannot be read"),
        ("auc>=62%", "cannot be read"),
        ("auc>=nan", "cannot be read"),
        (">=0.6", "cannot be read"),
        ("", "cannot be read"),
        (":auc>=0.6", "has an empty name"),
        ("impressions:>=0.6", "has an empty name"),
        ("impressions:/auc>=0.6", "has an empty name"),
        ("cold_items/>=0.6", "has an empty name"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_pattern(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        parse_bound(text)


@pytest.mark.parametrize(
    ("sign", "met"), [(">=", [False, True, True]), (">", [False, False, True]), ("<=", [True, True, False])]
)
def test_bounds(sign: str, met: list[bool]) -> None:
    required = parse_bound(f"auc {sign} 0.5")
    assert [required.holds_for(value) for value in (0.4, 0.5, 0.6)] == met
    assert not required.holds_for(math.nan)


def test_a_configuration_says_where_a_requirement_cannot_be_read(tmp_path: Path) -> None:
    config = tmp_path / "news.yaml"
    base = (
        "data: {format: recbole, inter: x, item: y, title: [t]}\nencoders: {text: {source: z}}\nevaluate:\n  require:\n"
    )
    config.write_text(f"{base}    - auc>=0.5\n    - auc=>high\n")
    with pytest.raises(ConfigError, match=r"news.yaml:6:7: evaluate.require.1: 'auc=>high' cannot be read"):
        load_settings(config)


def test_the_gate_is_no_part_of_a_report(tmp_path: Path) -> None:
    config = tmp_path / "news.yaml"
    config.write_text("data: {format: recbole, inter: x, item: y, title: [t]}\nencoders: {text: {source: z}}\n")
    gated = load_settings(config, ["evaluate.require=[auc>=0.5]", "evaluate.not_worse_than=old"])
    assert gated.evaluate.require == ["auc>=0.5"]
    assert gated.lineage("evaluate") == load_settings(config).lineage("evaluate")
