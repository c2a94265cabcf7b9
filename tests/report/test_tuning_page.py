"""The page of a search: verdicts first, every system, the right way round, and nothing from elsewhere."""

import json
import re
from typing import Any

import numpy as np
import pytest

from interestrec.report.search_plots import DrawnTrials, curves_plot, parallel_plot, slice_plot
from interestrec.report.setting_axis import SettingAxis
from interestrec.report.tuning_page import page

pytest.importorskip("optuna")

MODEL_SPACE = {
    "finetune.learning_rate": {"low": 3e-4, "high": 1e-2, "log": True},
    "finetune.label_smoothing": {"values": [0.0, 0.05, 0.1]},
    "finetune.negatives.count": {"low": 10, "high": 100, "log": True},
}
EASE_SPACE = {"rank.ease.l2": {"low": 10.0, "high": 1000.0, "log": True}}


def row(system: str, number: int, value: float | None, settings: dict[str, Any], **other: Any) -> dict[str, Any]:
    base = {"system": system, "trial": number, "bracket": number // 9, "rung": 5, "metric": "auc", "value": value}
    return {**base, "state": "complete", "seconds": 1.5, "settings": json.dumps(settings), "best": False, **other}


def half(configured: float, found: float, gain: float) -> dict[str, Any]:
    ends = {"gain": gain, "ci_low": gain - 0.01, "ci_high": gain + 0.01, "deviation": 0.005}
    return {"configured": configured, "found": found, **ends, "users": 1234}


def entry(space: dict[str, Any], configured: Any, found: Any, trials: int, **other: Any) -> dict[str, Any]:
    is_taken = other.get("confirmed", False)
    return {
        "unit": "epochs",
        "metric": "auc",
        "space": space,
        "configured": configured,
        "found": found,
        "chosen": found if is_taken else configured,
        "best_trial": 0,
        "trials": trials,
        "seconds": 1.5 * trials,
        "select": half(0.6, 0.65, 0.05),
        "blend": half(0.6, 0.63, 0.03),
        "optimism": 0.02,
        "confirmed": False,
        **other,
    }


def search(trials: int = 18) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    """A search of the model, whose settings changed, of ease, whose did not, and of biases with one trial."""
    random = np.random.default_rng(3)
    rows, curves = [], []
    configured = {"finetune.learning_rate": 1e-3, "finetune.label_smoothing": 0.0, "finetune.negatives.count": 20}
    found = configured
    for number in range(trials):
        settings = configured
        if number:
            settings = {
                "finetune.learning_rate": float(np.exp(random.uniform(np.log(3e-4), np.log(1e-2)))),
                "finetune.label_smoothing": [0.0, 0.05, 0.1][random.integers(3)],
                "finetune.negatives.count": int(random.integers(10, 101)),
            }
        rung, is_best = (5 if number % 3 == 0 else 2), number == 3
        found = settings if is_best else found
        value = 0.66 if is_best else 0.6 + 0.05 * float(random.random())
        state = "complete" if rung == 5 else "halved"
        rows.append(row("model", number, value, settings, rung=rung, state=state, best=is_best))
        steps = range(rung + 1)
        curves += [
            {"system": "model", "trial": number, "rung": epoch, "value": value - 0.02 * (rung - epoch)}
            for epoch in steps
        ]
    rows[5] |= {"value": None, "state": "failed"}
    rows.append(row("ease", 0, 0.3, {"rank.ease.l2": 5000.0}, rung=100, best=True))
    rows.append(row("ease", 1, 0.2, {"rank.ease.l2": 100.0}, rung=25, state="halved"))
    curves += [{"system": "ease", "trial": n, "rung": rung, "value": 0.2} for n, rung in ((0, 25), (0, 100), (1, 25))]
    biases = {"rank.biases.damping": 5}
    rows.append(row("biases", 0, 0.9, biases, rung=100, metric="rmse", best=True))
    curves.append({"system": "biases", "trial": 0, "rung": 100, "value": 0.9})
    ease = {"rank.ease.l2": 5000.0}
    users = {"unit": "% of users"}
    systems = {
        "ease": entry(EASE_SPACE, ease, ease, 2, **users),
        "biases": entry({"rank.biases.damping": {"values": [5, 10]}}, biases, biases, 1, metric="rmse", **users),
        "model": entry(MODEL_SPACE, configured, found, trials, best_trial=3, confirmed=True),
    }
    return {"budget": "18 trials", "systems": systems}, rows, curves


@pytest.fixture(scope="module")
def whole() -> str:
    return page(*search())


def test_every_system_has_its_verdict_before_any_table_and_a_section(whole: str) -> None:
    text = whole
    start = text[: text.index("<table>")]
    for name in ("model", "ease", "biases"):
        assert f'<p class="verdict">{name}: ' in start
        assert f"<h2>{name}</h2>" in text
        assert re.search(rf"<tr[^>]*><td>{name}</td>", text)
    assert "interestrec run --config WORKSPACE/tuning/tuned.yaml" in start
    assert "18 trials for each of 3 systems" in start
    assert text.index("<h2>model</h2>") < text.index("<h2>biases</h2>")
    assert "<summary><h2>model" not in text
    assert "<summary><h2>ease" in text


def test_changed_settings_are_shown_before_and_after(whole: str) -> None:
    document, trials, curves = search()
    text = whole
    found = document["systems"]["model"]["found"]
    after = json.dumps(found["finetune.negatives.count"])
    assert f"<td>finetune.negatives.count</td><td>20</td><td>{after}</td>" in text
    assert ">taken</span>" in text
    document["systems"]["model"] |= {"confirmed": False, "chosen": document["systems"]["model"]["configured"]}
    text = page(document, trials, curves)
    assert "found and not taken" in text
    assert ">taken</span>" not in text
    assert "No setting changed" in text


def test_states_are_counted_and_little_data_draws_what_there_is(whole: str) -> None:
    document, trials, _ = search()
    text = re.sub(r"\s+", " ", whole)
    assert "6 of 18 trials were measured in full, 11 ended early because others were better, 1 failed" in text
    assert text.count("Nothing is said of importance") == 2  # of ease and biases
    assert text.count("Learning curves") == 2  # biases has one rung
    assert text.count("Parallel coordinates") == 2  # biases has one trial
    nothing = [{**trial, "value": None, "state": "failed", "best": False} for trial in trials]
    assert page(document, nothing, []).count("nothing to draw") == 3


def test_the_page_needs_nothing_from_elsewhere_and_is_the_same_every_time(whole: str) -> None:
    document, trials, curves = search()
    assert not re.findall(r"<(?:script|link|img|iframe)\b|@import|url\((?!#)|src=", whole)
    assert re.findall(r'href="(?!#)', whole) == []
    stored = json.loads(json.dumps(document, sort_keys=True))  # as read from tuning.json
    assert page(stored, trials, curves) == whole


def test_nothing_from_data_becomes_markup_or_a_formula() -> None:
    document, trials, curves = search()
    evil = "<script>$x$"
    document["systems"][evil] = document["systems"].pop("ease")
    document["systems"][evil] |= {"space": {evil: {"values": [evil, "b"]}}, "configured": {evil: evil}}
    document["systems"][evil] |= {"found": {evil: "b"}, "chosen": {evil: "b"}}
    for trial in trials:
        if trial["system"] == "ease":
            trial |= {"system": evil, "settings": json.dumps({evil: evil})}
    text = page(document, trials, [point for point in curves if point["system"] != "ease"])
    assert "<script" not in text
    assert text.count("&lt;script&gt;$x$") > 5


def heights(svg: str) -> list[float]:
    """Vertical places of the marks of a slice from left to right; larger ones are further down."""
    marks = re.findall(r'<use xlink:href="#\w+" x="([\d.]+)" y="([\d.]+)" style="[^"]*opacity', svg)
    return [float(y) for _, y in sorted(marks, key=lambda mark: float(mark[0]))]


@pytest.mark.parametrize("lower", [False, True])
def test_better_is_up_and_right_also_where_lower_is_better(lower: bool) -> None:
    rows = [row("ease", n, value, {"rank.ease.l2": 10.0 + n}) for n, value in enumerate([0.5, 0.7, 0.9])]
    rows[0 if lower else 2]["best"] = True
    drawn = DrawnTrials(rows, "rmse", lower)
    axis = drawn.axis("rank.ease.l2", EASE_SPACE["rank.ease.l2"])
    plot = slice_plot(drawn, axis)
    assert ("rmse (lower is better)" in plot) == lower
    down = heights(plot)
    assert len(down) == 3
    assert down == sorted(down, reverse=not lower)
    ends = re.findall(r">(0\.[579]000)<", parallel_plot(drawn, [axis]))
    assert ends == (["0.9000", "0.5000"] if lower else ["0.5000", "0.9000"])  # the right end is the second


def test_learning_curves_begin_after_the_first_epoch() -> None:
    drawn = DrawnTrials([row("model", 0, 0.7, {"finetune.width": 64}, best=True)], "auc", False)
    curves = [{"trial": 0, "rung": rung, "value": value} for rung, value in ((0, 0.01), (1, 0.68), (2, 0.7))]
    assert curves_plot(drawn, curves, "epochs") == curves_plot(drawn, curves[1:], "epochs")


def test_an_axis_places_numbers_by_ratio_and_categories_by_their_order() -> None:
    numbers = SettingAxis("rank.ease.l2", EASE_SPACE["rank.ease.l2"], [10.0, 100.0])
    assert numbers.position(100.0) == pytest.approx(0.5)
    outside = SettingAxis("rank.ease.l2", EASE_SPACE["rank.ease.l2"], [100000.0])
    assert outside.ends == (10.0, 100000.0)
    names = SettingAxis("rank.ease.l2", {"values": [None, 5, "a"]}, ["z"])
    assert names.labels == ["null", "5", "a", "z"]
    assert names.position(5) == pytest.approx(1 / 3)
    assert SettingAxis("x.y", {"values": [7]}, [7]).position(7) == 0.5
