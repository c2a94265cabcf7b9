"""The page."""

import re

from interestrec.report.evidence import Evidence
from interestrec.report.html import page
from tests.report.rows import comparison, metric

EVIL = "<script>alert(1)</script>"


def rendered() -> str:
    return page(
        metrics=[metric("interestrec", 0.62), metric("content", 0.6), metric(EVIL, 0.5)],
        comparisons=[comparison("content", 0.02, 0.01), comparison(EVIL, 0.12, 0.01)],
        gaps=[],
        exposure=[],
        evidence=Evidence(),
        quality={"rules": [{"rule": EVIL, "rows_in": 10, "rows_out": 9, "reason": EVIL}]},
        systems={"systems": {"interestrec": {}, EVIL: {"note": EVIL}}},
        lineage={"config": {"name": EVIL}},
    )


def test_nothing_from_data_becomes_markup() -> None:
    html = rendered()
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 8


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
