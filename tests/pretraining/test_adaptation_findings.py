"""Held-out figures in words."""

from typing import Any

import pytest

from interestrec.pretraining.adaptation_findings import adaptation_findings

BEFORE = {"loss": 3.1, "perplexity": 22.2, "alignment": 0.3, "uniformity": -2.67}


def of(figure: str, change: float, objective: str = "masked", head: bool | None = True, **more: float) -> Any:
    after = {**BEFORE, figure: BEFORE[figure] + change, **more}
    (found,) = (one for one in adaptation_findings(BEFORE, after, objective, head) if one["figure"] == figure)
    return found["sentence"], found["better"]


@pytest.mark.parametrize(
    ("figure", "change", "sentence", "better"),
    [
        (
            "loss",
            -0.4,
            "Held-out masked loss fell from 3.1000 to 2.7000 (perplexity 22.2 to 22.2): the encoder predicts the "
            "domain's words better.",
            True,
        ),
        (
            "loss",
            0.4,
            "Held-out masked loss rose from 3.1000 to 3.5000 (perplexity 22.2 to 22.2): the encoder predicts the "
            "domain's words worse; lower pretrain_adapt.learning_rate, or set pretrain_adapt.steps to 0.",
            False,
        ),
        (
            "uniformity",
            1.68,
            "Uniformity rose from -2.6700 to -0.9900: vectors of different texts lie closer together, so raw cosines "
            "separate texts less well.",
            False,
        ),
        (
            "uniformity",
            -0.33,
            "Uniformity fell from -2.6700 to -3.0000: vectors of different texts lie further apart, so raw cosines "
            "separate texts better.",
            True,
        ),
        (
            "alignment",
            -0.1,
            "Alignment fell from 0.3000 to 0.2000: vectors of one text under two dropouts lie closer together.",
            True,
        ),
        (
            "alignment",
            0.1,
            "Alignment rose from 0.3000 to 0.4000: vectors of one text under two dropouts lie further apart.",
            False,
        ),
    ],
)
def test_each_figure_in_each_direction(figure: str, change: float, sentence: str, better: bool) -> None:
    assert of(figure, change) == (sentence, better)


def test_what_four_decimals_do_not_show_is_no_change() -> None:
    for figure in ("loss", "alignment", "uniformity"):
        sentence, better = of(figure, 0.00001)
        assert f"stayed at {BEFORE[figure]:.4f}" in sentence
        assert "as before" in sentence or "as near as" in sentence or "as far apart as" in sentence
        assert better is None


def test_a_head_that_started_untrained_shares_the_loss() -> None:
    sentence, better = of("loss", -0.4, head=False)
    assert sentence.endswith(
        "the encoder and a head that started untrained predict the domain's words better, and how much of it is the "
        "encoder's own the loss does not tell."
    )
    assert better is None
    assert of("loss", 0.4, head=False)[1] is False


def test_what_draws_near_with_all_others_is_no_gain() -> None:
    sentence, better = of("alignment", -0.1, uniformity=-0.99)
    assert sentence.endswith("lie closer together, but so do those of all texts.")
    assert better is None


def test_other_objectives_have_their_words() -> None:
    assert "the encoder tells a text from others better" in of("loss", -0.4, "views", None)[0]
    assert "finds the text that belongs to a title better" in of("loss", -0.4, "title_text", None)[0]
    assert "vectors of a title and its text lie closer" in of("alignment", -0.1, "title_text", None)[0]


def test_what_was_not_measured_twice_is_left_out() -> None:
    assert adaptation_findings(BEFORE, {"loss": 3.0}, "masked", True)[0]["sentence"].startswith(
        "Held-out masked loss fell from 3.1000 to 3.0000: "
    )
    assert adaptation_findings({}, BEFORE, "masked", True) == []
