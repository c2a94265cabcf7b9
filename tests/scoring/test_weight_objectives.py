"""Objectives that blend weights are fitted by."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from scipy.special import expit

from interestrec.core.errors import ConfigError
from interestrec.scoring import weight_objectives
from interestrec.scoring.blend_lists import BlendLists
from interestrec.scoring.weight_objectives import fit_logit, fit_smooth_auc, fit_smooth_ndcg
from tests.examples import examples
from tests.scoring.blending import blend_lists, chosen

SEEDS = st.integers(0, 10**9)


def simulated(weights: list[float], lists: int, rows: int = 5) -> BlendLists:
    rng = np.random.default_rng(11)
    features = rng.normal(size=(lists, rows, len(weights)))
    return blend_lists(features, chosen(features @ np.array(weights), rng))


def test_logit_returns_the_weights_behind_simulated_choices() -> None:
    assert fit_logit(simulated([1.5, 0.5, 0.0], 4000)) == pytest.approx([1.5, 0.5, 0.0], abs=0.08)


def test_a_misleading_component_gets_nothing_unless_it_is_free() -> None:
    lists = simulated([1.0, -1.0], 500)
    bounded = fit_logit(lists)
    assert bounded[1] == 0
    assert bounded[0] > 0.5
    assert fit_logit(lists, free=1)[1] < -0.5


@pytest.mark.parametrize("fit", [fit_logit, fit_smooth_ndcg, fit_smooth_auc])
def test_lists_of_one_class_say_nothing_and_without_others_all_weigh_the_same(fit) -> None:  # type: ignore[no-untyped-def]
    features = np.random.default_rng(0).normal(size=(2, 2, 2))
    lists = blend_lists(features, np.array([[True, True], [False, False]]))
    assert fit(lists).tolist() == [0.5, 0.5]
    misleading = blend_lists(np.array([[[0.0], [1.0]]]), np.array([[True, False]]))
    assert fit(misleading).tolist() == [1.0]


def test_later_lists_count_by_their_weight() -> None:
    first, second = simulated([1.0, 0.0], 400), simulated([0.0, 1.0], 400)
    both = BlendLists(
        np.concatenate([first.features, second.features]),
        np.append(first.offsets, first.offsets[-1] + second.offsets[1:]),
        np.concatenate([first.relevant, second.relevant]),
        np.concatenate([first.cold, second.cold]),
        np.repeat([1e-6, 1.0], 400),
        np.arange(800),
    )
    for fit in (fit_logit, fit_smooth_ndcg, fit_smooth_auc):
        np.testing.assert_allclose(fit(both)[0], 0.0, atol=0.2)


def ndcg(lists: BlendLists, weights: np.ndarray) -> float:
    score = (lists.features @ weights).reshape(len(lists), -1)
    rank = 1 + (score > (score * lists.relevant.reshape(score.shape)).sum(axis=1, keepdims=True)).sum(axis=1)
    return float(np.mean(1 / np.log2(1 + rank)))


def test_smooth_ndcg_wins_where_likelihood_fears_a_sure_component() -> None:
    """Right at the top in nine lists of ten and far below in the rest: likelihood fears that, the metric does not."""
    rng = np.random.default_rng(1)
    relevant = np.zeros((400, 30), dtype=bool)
    relevant[:, 0] = True
    sure = rng.normal(size=(400, 30)) * 0.01
    sure[:, 0] = np.where(np.arange(400) % 10 > 0, 1.0, -30.0)
    other = rng.normal(size=(400, 30)) + 1.5 * relevant
    lists = blend_lists(np.stack([sure, other], axis=2), relevant)
    logit, smooth = fit_logit(lists), fit_smooth_ndcg(lists)
    assert ndcg(lists, smooth) > ndcg(lists, logit) + 0.1


@examples(30)
@given(SEEDS)
def test_smooth_ndcg_is_its_formula_and_its_gradient(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lists = replace(
        blend_lists(rng.normal(size=(4, 6, 3)), rng.random((4, 6)) < 0.4), weight=rng.uniform(0.5, 2, 4)
    ).with_both_classes()
    if len(lists) == 0:
        return
    row, other = pairs(lists)
    loss = weight_objectives._smooth_ndcg(lists, row, other)
    weights = rng.uniform(0, 2, 3)
    value = 0.0
    for n, (start, stop) in enumerate(zip(lists.offsets[:-1], lists.offsets[1:], strict=True)):
        score, relevant = lists.features[start:stop] @ weights, lists.relevant[start:stop]
        ranks = [0.5 + expit(score - own).sum() for own in score[relevant]]
        ideal = sum(1 / np.log2(2 + place) for place in range(relevant.sum()))
        value += lists.weight[n] * sum(1 / np.log2(1 + rank) for rank in ranks) / ideal
    found, gradient = loss(weights)
    assert found == pytest.approx(-value / lists.weight.sum() + 1.5e-5 * weights @ weights, rel=1e-5)
    np.testing.assert_allclose(gradient, approx_fprime(weights, lambda w: loss(w)[0], 1e-3), atol=2e-3)


@examples(30)
@given(SEEDS)
def test_smooth_auc_is_its_formula_and_its_gradient(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lists = blend_lists(rng.normal(size=(4, 6, 3)), rng.random((4, 6)) < 0.4).with_both_classes()
    if len(lists) == 0:
        return
    loss = weight_objectives._smooth_auc(lists, *pairs(lists))
    weights = rng.uniform(0, 2, 3)
    value = 0.0
    for start, stop in zip(lists.offsets[:-1], lists.offsets[1:], strict=True):
        score, relevant = lists.features[start:stop] @ weights, lists.relevant[start:stop]
        value += expit(score[relevant][:, None] - score[~relevant][None, :]).mean() / len(lists)
    found, gradient = loss(weights)
    assert 1 - found == pytest.approx(value - 1.5e-5 * weights @ weights, abs=1e-5)
    np.testing.assert_allclose(gradient, approx_fprime(weights, lambda w: loss(w)[0], 1e-3), atol=2e-3)


def pairs(lists: BlendLists) -> tuple[np.ndarray, np.ndarray]:
    found = [
        (row, other)
        for start, stop in zip(lists.offsets[:-1], lists.offsets[1:], strict=True)
        for row in range(start, stop)
        if lists.relevant[row]
        for other in range(start, stop)
    ]
    row, other = (np.array(column) for column in zip(*found, strict=True))
    return row, other


def test_weights_are_chosen_by_metrics_that_an_objective_resembles() -> None:
    assert list(weight_objectives.weight_objectives("auc")) == ["conditional logit", "smooth auc"]
    with pytest.raises(ConfigError, match="metric of the blend"):
        weight_objectives.weight_objectives("rr")


def test_the_first_rows_of_lists_keep_their_order_and_ties_go_to_the_earlier_row() -> None:
    lists = blend_lists(np.arange(6.0).reshape(2, 3, 1), np.array([[True, False, False], [False, False, True]]))
    first = lists.first_rows(np.array([5.0, 7.0, 7.0, 1.0, 1.0, 1.0]), 2)
    assert first.features.ravel().tolist() == [1.0, 2.0, 3.0, 4.0]
    assert first.with_both_classes().source.tolist() == []
