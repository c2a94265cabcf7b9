"""What decides for whom: weights, one component, and what happens where evidence is thin or misleading."""

import numpy as np
import pytest

from interestrec.corpus.store import NO_TIME
from interestrec.scorers.item_scores import ItemScores
from interestrec.scorers.queries import RequestTruth
from interestrec.scoring.blend_description import describe_blend, read_blend
from interestrec.scoring.catalogue_evidence import CatalogueEvidence
from interestrec.scoring.catalogue_lists import CatalogueLists
from interestrec.scoring.evidence import COLD, WARM, WHOLE
from interestrec.scoring.fit_blend import KNOWN_USERS, NEW_USERS, fit_blend, fixed_blend
from interestrec.scoring.impression_evidence import ImpressionEvidence
from interestrec.scoring.rules import Rules
from tests.scoring.asking import requests
from tests.scoring.blending import blend_lists, chosen
from tests.scoring.test_evidence import PerUser

ITEMS = 120


def evidence(
    scores: list[np.ndarray], taken: np.ndarray, new: np.ndarray, cold: np.ndarray | None = None
) -> CatalogueEvidence:
    """Users who took one item each, and components [users, items] or [items]."""
    users = len(taken)
    none = np.zeros(users, dtype=bool)
    asked = requests(*[[] if is_new else [0] for is_new in new])
    lists = CatalogueLists(
        asked,
        asked,
        RequestTruth(np.arange(users), taken.astype(np.int32), np.ones(users, np.float32), none),
        np.full(users, NO_TIME),
        Rules("in", 1.0, np.ones(ITEMS, dtype=bool), None, 0.0, 50),
        np.zeros(ITEMS, dtype=bool) if cold is None else cold,
        np.random.default_rng(5).permutation(ITEMS),
        none,
        20,
    )
    voters = [ItemScores(score.astype(np.float32)) if score.ndim == 1 else PerUser(score) for score in scores]
    return CatalogueEvidence(lists, voters, np.ones(ITEMS, dtype=bool))


def taken_by(utility: np.ndarray, seed: int = 0) -> np.ndarray:
    return chosen(utility, np.random.default_rng(seed)).argmax(axis=1)


def test_a_component_that_knows_nothing_of_new_users_does_not_decide_for_them() -> None:
    """EASE says the same of all items to a user without history; once it was credited with a lucky short list."""
    rng = np.random.default_rng(0)
    users = 400
    new = np.arange(users) % 3 == 0
    personal = rng.normal(size=(users, ITEMS)) * ~new[:, None]
    trend = rng.normal(size=ITEMS)
    taken = taken_by(3.0 * personal + 1.2 * trend)
    fitted = fit_blend(evidence([personal, trend], taken, new), 2, 2)
    known, unknown = fitted.choices[KNOWN_USERS].items[WHOLE], fitted.choices[NEW_USERS].items[WHOLE]
    assert known.best == 0
    assert known.weights.values[1] > 0.1
    assert known.held_out > known.component
    assert unknown.best == 1
    assert unknown.held_out == pytest.approx(unknown.component, rel=0.05)


def test_a_list_that_one_component_alone_decides_is_ordered_by_the_next_where_it_is_flat() -> None:
    rng = np.random.default_rng(1)
    users = 300
    personal = rng.normal(size=(users, ITEMS)) * 10
    noise = rng.normal(size=ITEMS)
    fitted = fit_blend(evidence([personal, noise], taken_by(personal), np.zeros(users, bool)), 2, 2)
    assert fitted.choices[KNOWN_USERS].items[WHOLE].weights.values[0] > 0.9
    score = fitted.blend(
        [np.zeros((1, ITEMS), np.float32), noise[None].astype(np.float32)], np.zeros(ITEMS, bool), np.array([False])
    )
    np.testing.assert_array_equal(np.argsort(-score[0]), np.argsort(-noise))


def test_noise_gets_no_weight_that_costs_and_claims_no_gain() -> None:
    rng = np.random.default_rng(2)
    users = 300
    trend, noise = rng.normal(size=ITEMS) * 2, [rng.normal(size=(users, ITEMS)) for _ in range(4)]
    taken = taken_by(np.tile(trend, (users, 1)))
    fitted = fit_blend(evidence([trend, *noise], taken, np.zeros(users, bool)), 5, 5)
    choice = fitted.choices[KNOWN_USERS].items[WHOLE]
    assert choice.best == 0
    assert choice.weights.values[0] > 0.7
    assert choice.held_out - choice.optimism < choice.component + 0.02


def test_permuted_truth_claims_no_gain() -> None:
    rng = np.random.default_rng(3)
    users = 300
    parts = [rng.normal(size=(users, ITEMS)) for _ in range(4)]
    fitted = fit_blend(evidence(parts, rng.integers(0, ITEMS, users), np.zeros(users, bool)), 4, 4)
    choice = fitted.choices[KNOWN_USERS].items[WHOLE]
    assert choice.held_out - choice.optimism - choice.component < 0.02


def test_few_lists_of_a_kind_borrow_the_choice_of_all() -> None:
    rng = np.random.default_rng(4)
    users = 200
    new = np.arange(users) < 10
    personal, trend = rng.normal(size=(users, ITEMS)), rng.normal(size=ITEMS)
    fitted = fit_blend(evidence([personal, trend], taken_by(2 * personal + trend), new), 2, 2)
    assert fitted.choices[NEW_USERS].borrowed
    assert not fitted.choices[KNOWN_USERS].borrowed
    assert fitted.choices[NEW_USERS].items[WHOLE].lists == users


def test_stand_ins_decide_for_new_users_alone_and_are_said() -> None:
    rng = np.random.default_rng(8)
    users = 200
    personal, trend = rng.normal(size=(users, ITEMS)), rng.normal(size=ITEMS)
    found = evidence([personal, trend], taken_by(2 * personal + trend), np.zeros(users, bool))
    more = CatalogueEvidence(found.lists.with_new_users(100), found.voters, found.known_items)
    without, fitted = fit_blend(found, 2, 2), fit_blend(more, 2, 2)
    np.testing.assert_array_equal(fitted.alone, without.alone)
    assert fitted.lists == users
    assert (fitted.choices[KNOWN_USERS].stand_ins, fitted.choices[NEW_USERS].stand_ins) == (0, 100)
    assert without.choices[NEW_USERS].borrowed
    why = describe_blend(fitted, ["a", "b"], ["a", "b"])
    assert "100 of the lists are of users with a history who were asked without it" in why["new_users"]["why"]
    assert "asked without" not in why["known_users"]["why"]


def test_without_lists_all_components_weigh_alike() -> None:
    nothing = fit_blend(evidence([np.zeros((0, ITEMS)), np.zeros(ITEMS)], np.zeros(0, int), np.zeros(0, bool)), 2, 2)
    assert nothing.lists == 0
    np.testing.assert_allclose(nothing.blend.known.warm.values, 0.5, atol=1e-5)
    assert (
        "all components weigh alike; validation has no list"
        in describe_blend(nothing, ["a", "b"], ["x", "y"])["new_users"]["why"]
    )
    assert describe_blend(nothing, ["a", "b"], ["x", "y"])["known_users"]["evidence"][WHOLE]["held_out"] is None


def test_cold_items_get_weights_of_their_own() -> None:
    """The trend knows nothing of new items, the content all: it orders them among each other and against the others."""
    rng = np.random.default_rng(6)
    users = 600
    cold = np.arange(ITEMS) % 2 == 1
    trend = np.where(cold, 0.0, rng.normal(size=ITEMS))
    content = rng.normal(size=(users, ITEMS))
    taken = taken_by(np.where(cold, 3.0 * content, 3.0 * trend))
    fitted = fit_blend(evidence([trend, content], taken, np.zeros(users, bool), cold), 2, 2)
    choice = fitted.choices[KNOWN_USERS]
    assert set(choice.items) == {WARM, COLD}
    assert choice.items[WARM].weights.values[0] > 0.8
    assert choice.items[COLD].weights.values[1] > 0.8
    assert abs(choice.weights.offset) < 5


def test_impressions_are_chosen_by_auc() -> None:
    rng = np.random.default_rng(7)
    features = rng.normal(size=(300, 8, 3))
    lists = blend_lists(features, chosen(features @ np.array([1.0, 1.0, 0.0]), rng))
    fitted = fit_blend(ImpressionEvidence(lists, np.zeros(300, bool), np.arange(300) // 2), 3, 3)
    choice = fitted.choices[KNOWN_USERS].items[WHOLE]
    assert fitted.metric == "auc"
    assert choice.held_out > choice.component + 0.05
    assert choice.weights.values[2] < 0.15


def test_fixed_weights_are_taken_as_they_are() -> None:
    given = evidence([np.zeros(ITEMS), np.zeros(ITEMS)], np.zeros(3, int), np.zeros(3, bool))
    fitted = fixed_blend(np.array([3.0, 0.0]), given, 2)
    assert fitted.choices == {}
    assert fitted.blend.new.warm.values == pytest.approx([1.0, 0.0], abs=1e-5)


def test_the_description_is_read_back_bit_by_bit_and_says_what_decides() -> None:
    rng = np.random.default_rng(6)
    users, cold = 600, np.arange(ITEMS) % 2 == 1
    trend, content = np.where(cold, 0.0, rng.normal(size=ITEMS)), rng.normal(size=(users, ITEMS))
    taken = taken_by(np.where(cold, 3.0 * content, 3.0 * trend))
    fitted = fit_blend(evidence([trend, content], taken, np.arange(users) % 4 == 0, cold), 2, 2)
    description = describe_blend(fitted, ["trending", "content"], ["trending", "content"])
    why = description["known_users"]["why"]
    assert "Users with a history, items with events: " in why
    assert "trending" in why
    assert f"{description['known_users']['evidence'][WARM]['lists']:,} held-out lists" in why
    again = read_blend(description, ["trending", "content"])
    parts = [np.tile(trend, (users, 1)).astype(np.float32), content.astype(np.float32)]
    new = np.arange(users) % 4 == 0
    np.testing.assert_array_equal(again(parts, cold, new), fitted.blend(parts, cold, new))


def test_a_blend_without_one_component_is_that_of_the_others_whatever_the_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Scores that are kept stay in the blocks of all components, of which fewer components would make fewer."""
    rng = np.random.default_rng(8)
    users = 200
    scores = [rng.normal(size=(users, ITEMS)) for _ in range(3)]
    taken, new = taken_by(2.0 * scores[0] + scores[2]), np.zeros(users, dtype=bool)
    alone = fit_blend(evidence(scores[1:], taken, new), 2, 2)
    monkeypatch.setattr("interestrec.scorers.requests._CELLS", 50 * ITEMS)
    whole = evidence(scores, taken, new)
    fit_blend(whole, 3, 3)
    reduced = whole.select_voters([False, True, True])
    assert len(list(reduced.lists.blocks(2))) < len(list(whole.lists.blocks(3)))
    for fitted in (fit_blend(reduced, 2, 2), fit_blend(reduced.select_voters([True, True]), 2, 2)):
        weights = fitted.choices[KNOWN_USERS].items[WHOLE].weights.values
        np.testing.assert_array_equal(weights, alone.choices[KNOWN_USERS].items[WHOLE].weights.values)
