"""The page."""

import math
import re
from html.parser import HTMLParser

import pytest

from interestrec.evaluation.leak_audit import AuditCheck
from interestrec.evaluation.verdicts import all_verdicts
from interestrec.report.html import page
from interestrec.report.page_data import PageData
from interestrec.report.plots import interval_plot
from tests.evaluation.rows import comparison, metric

EVIL = "<script>alert(1)</script>"
# Ends of what a text may stand in: elements, attributes, comments, CDATA, mathematics of plots, and what is no text.
ENDS = "</style></svg></pre></td>\" onload='x' --><!--]]><img src=x>$\\frac{$ {{ 7 * 7 }} {% x %}&lt;\x00\x1b[2J\ud800"


def rendered(p_holm: float = 0.01) -> str:
    metrics = [metric("interestrec", 0.62), metric("content", 0.6), metric(EVIL, 0.5)]
    comparisons = [comparison("content", 0.02, p_holm), comparison(EVIL, 0.12, 0.01)]
    return page(
        metrics=metrics,
        comparisons=comparisons,
        verdicts=all_verdicts(metrics, comparisons, {}, {("impressions", "auc"): 12}),
        gaps=[],
        exposure=[],
        evidence=PageData(),
        quality={"rules": [{"rule": EVIL, "rows_in": 10, "rows_out": 9, "reason": EVIL}]},
        systems={"systems": {"interestrec": {}, EVIL: {"note": EVIL}}},
        lineage={"config": {"name": EVIL}},
    )


def test_nothing_from_data_becomes_markup() -> None:
    html = rendered()
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 8


def full(text: str) -> str:
    """A page in which all that comes from data is `text`."""
    item = {"title": text, "category": text, "rank": 1, "score": 0.5, "predicted": 0.5, "hit": True, text: 0.1}
    user = {"user_id": text, "events": 3, "relevant": 1, "history": [item], "list": [item]}
    slices = [{**metric("interestrec", 0.6), "slice": f"category={text}"}]
    slices += [{**metric("content", 0.5), "slice": f"category={text}"}]
    gap = {"family": text, "best": text, "worst": text, "best_value": 0.6, "worst_value": 0.5}
    shares = {"exposure": 0.5, "catalogue": 0.5, "train_events": 0.5}
    metrics = [
        *(metric(system, value) for system, value in {"interestrec": 0.62, "content": 0.6, text: 0.5}.items()),
        metric("interestrec", 0.2, "coverage@10", "beyond"),
        *slices,
    ]
    comparisons = [comparison("content", 0.02, 0.01), comparison(text, 0.12, 0.01)]
    return page(
        metrics=metrics,
        comparisons=comparisons,
        verdicts=all_verdicts(metrics, comparisons, {}, {("impressions", "auc"): 12}),
        gaps=[{"protocol": "impressions", "metric": "auc", "gap": 0.1, "ci_low": 0.0, "ci_high": 0.2, **gap}],
        exposure=[{"system": "interestrec", "category": category, **shares} for category in (text, None)],
        evidence=PageData(examples=[user], checks=[AuditCheck(text, 1, 2, "look", text)]),
        quality={"rules": [{"rule": text, "rows_in": 10, "rows_out": 9, "reason": text}]},
        systems={"systems": {"interestrec": {"components": {text: 1}}, text: {"note": text}}},
        lineage={"config": {"name": text}},
    )


class Outline(HTMLParser):
    """Elements and attributes of a page, and what they hold as text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.parts.append(f"<{tag} {sorted(name for name, _ in attrs)}>")

    def handle_endtag(self, tag: str) -> None:
        self.parts.append(f"</{tag}>")

    def handle_comment(self, data: str) -> None:
        self.parts.append("<!-- -->")


@pytest.mark.parametrize("text", [EVIL, ENDS])
def test_whatever_data_says_the_page_has_the_same_elements(text: str) -> None:
    """In tables, cards, slices' plots, JSON and headings alike."""
    plain, hostile = full("word"), full(text)
    assert Outline(hostile).parts == Outline(plain).parts
    assert "{{ 7 * 7 }}" in hostile or text == EVIL


@pytest.mark.parametrize("text", ["$5 and $10", "$\\frac{$"])
def test_a_category_of_dollars_is_no_formula(text: str) -> None:
    assert text in interval_plot([{**metric("content", 0.5), "slice": text}], "auc", name_column="slice")


def test_a_long_name_leaves_room_for_the_plot() -> None:
    assert "..." in interval_plot([metric("x" * 200, 0.5)], "auc")


def test_the_page_needs_nothing_from_elsewhere_and_is_the_same_every_time() -> None:
    html = rendered()
    assert html == rendered()
    assert not re.findall(r'(?:src|href)="(?!#)', html.replace("xlink:href", "href"))
    assert "@import" not in html
    assert "url(http" not in html


def test_the_verdict_comes_before_any_figure() -> None:
    html = rendered()
    assert html.index("interestrec is better than content") < html.index("<table>")
    assert 'class="words better"' in html


def test_what_holds_before_correction_alone_is_no_better() -> None:
    html = rendered(p_holm=0.08)
    assert "interestrec may be better than content" in html
    assert '<td class="words ">better before correction</td>' in html


def test_an_interval_without_ends_is_shown_as_such() -> None:
    unbounded = {**comparison("content", 0.02, 1.0), "ci_low": -math.inf, "ci_high": math.inf}
    html = page(
        metrics=[metric("interestrec", 0.62), metric("content", 0.6)],
        comparisons=[unbounded],
        verdicts={},
        gaps=[],
        exposure=[],
        evidence=PageData(),
        quality={},
        systems={"systems": {"interestrec": {}}},
        lineage={},
    )
    assert "<td>-∞ to +∞</td>" in html
