"""What holds for every registered ranking metric, so that a new one is tested without being asked."""

import ast
import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interestrec.metrics.ranked_lists import rank_lists
from interestrec.metrics.ranking import RANKING_METRICS, metric
from tests.examples import examples
from tests.metrics.random_lists import rankings

ROOT = Path(__file__).parents[2]
NAMES = [name.replace("@k", f"@{k}") for name in RANKING_METRICS for k in ((1, 3, 10) if "@" in name else (0,))]
registered = pytest.mark.parametrize("name", NAMES)


def metric_functions() -> dict[str, Path]:
    """Public functions of metrics/ that take ranked lists, and the file of each."""
    found = {}
    for path in sorted((ROOT / "interestrec" / "metrics").glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and node.args.args:
                first = node.args.args[0].annotation
                if isinstance(first, ast.Name) and first.id == "RankedLists":
                    found[node.name] = path
    return found


def test_every_metric_has_its_entry() -> None:
    entered = {function.__name__ for function in RANKING_METRICS.values()}
    for name, path in metric_functions().items():
        assert name in entered, (
            f'{path.name} defines {name}, which nobody can configure; write "{name}": {name} (or "{name}@k": {name}) '
            "into RANKING_METRICS of interestrec/metrics/ranking.py"
        )


@pytest.mark.parametrize("name", RANKING_METRICS)
def test_a_metric_is_defined_in_its_docstring_and_in_the_documentation(name: str) -> None:
    assert len(RANKING_METRICS[name].__doc__ or "") > 30, f"{name}: the docstring gives the formula or the paper"
    documented = (ROOT / "docs" / "evaluation.md").read_text()
    assert re.search(rf"(?<![\w@]){re.escape(name)}(?![\w@])", documented), (
        f"docs/evaluation.md does not mention {name}"
    )


@registered
def test_lists_without_a_relevant_item_are_undefined(name: str) -> None:
    nothing = rank_lists(np.array([0, 2]), np.array([0.3, 0.1]), np.zeros(2, bool), np.zeros(2))
    assert np.isnan(metric(name)(nothing)).all()


@registered
@examples(15)
@given(scores=st.lists(st.integers(0, 2), min_size=2, max_size=6), data=st.data())
def test_ties_count_by_expectation_over_their_orders(name: str, scores: list[int], data: st.DataObject) -> None:
    relevant = data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores)))
    values = [
        value(name, [score + place / 100 for score, place in zip(scores, order, strict=True)], relevant)
        for order in itertools.permutations(range(len(scores)))
    ]
    np.testing.assert_allclose(value(name, scores, relevant), np.mean(values), rtol=0, atol=1e-12)


@registered
@pytest.mark.parametrize("tied", [True, False])
def test_a_list_is_worth_the_same_alone_and_among_others(name: str, tied: bool) -> None:
    many = rankings(40, seed=3, tied=tied)
    together = many.values(name)
    for number, (score, gain) in enumerate(many):
        np.testing.assert_allclose(value(name, list(score), list(gain > 0), list(gain)), together[number], atol=1e-12)


@registered
def test_no_order_is_better_than_the_best_first(name: str) -> None:
    many = rankings(200, seed=5, tied=False)
    actual, best = many.values(name), many.with_score(many.gain).values(name)
    defined = ~np.isnan(actual)
    assert (best[defined] >= actual[defined] - 1e-12).all()
    assert (actual[defined] >= -1e-12).all() and (actual[defined] <= 1 + 1e-12).all()


def value(name: str, score: list[float], relevant: list[bool], gain: list[float] | None = None) -> float:
    gains = np.array(relevant if gain is None else gain, dtype=np.float64)
    return float(
        metric(name)(rank_lists(np.array([0, len(score)]), np.array(score, float), np.array(relevant), gains))[0]
    )
