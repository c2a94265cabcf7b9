"""The terminal tables."""

import re

import pyarrow as pa
import pytest

from interestrec.io import report_schemas
from interestrec.report.metrics_table import metrics_table
from tests.evaluation.rows import metric

BEYOND = ("novelty", "diversity", "category_calibration", "popularity_lift", "coverage", "gini")


def table(rows: list[dict], width: int, color: bool = False) -> str:
    return metrics_table(pa.Table.from_pylist(rows, schema=report_schemas.METRICS), width, color)


def test_ours_comes_first_and_the_best_of_each_metric_is_marked() -> None:
    rows = [
        metric("content", 0.7),
        metric("interestrec", 0.6),
        metric("content", 0.4, "rmse", "intensity"),
        metric("interestrec", 0.3, "rmse", "intensity"),
        metric("random", None),
    ]
    assert table(rows, width=60).splitlines() == [
        "Within impressions (n = 12)",
        "system           auc",
        "interestrec  0.6000",
        "content      0.7000*",
        "random          n/a",
        "",
        "Predicted intensity against labels (n = 12)",
        "system        rmse ↓",
        "interestrec  0.3000*",
        "content      0.4000",
    ]


@pytest.mark.parametrize("width", [60, 80, 100, 200])
@pytest.mark.parametrize("color", [False, True])
def test_no_digit_and_no_name_is_cut_from_60_columns_on(width: int, color: bool) -> None:
    systems = ["interestrec", "mean_intensity", "item_knn", "random"]
    values = {(s, m): 12.3456 * (n + 1) - 40 * k for n, s in enumerate(systems) for k, m in enumerate(BEYOND)}
    written = table([metric(s, value, m, "beyond") for (s, m), value in values.items()], width, color)
    plain = re.sub(r"\x1b\[\d+m", "", written)
    assert "…" not in plain
    assert "..." not in plain
    assert max(map(len, plain.splitlines())) <= width
    for value in values.values():
        assert re.search(rf"(?<![\d.-]){re.escape(f'{value:.4f}')}(?!\d)", plain)
    headings = [word for line in plain.splitlines() if line.startswith("system") for word in line.split()]
    assert [word for word in headings if word not in ("system", "↓")] == list(BEYOND)  # each once, in order
    assert headings.count("system") == (1 if width == 200 or (width == 100 and color) else 2)  # a star is a cell


def test_a_name_too_long_for_the_line_is_cut_and_its_figures_are_not() -> None:
    lines = table([metric("x" * 90, 0.1234), metric("interestrec", 12345.6789)], width=60).splitlines()
    assert lines[2] == f"{'interestrec':49}12345.6789*"
    assert lines[3] == f"{'x' * 44}...      0.1234"


def test_bold_marks_the_best_on_a_terminal() -> None:
    text = table([metric("content", 0.7), metric("interestrec", 0.6)], width=60, color=True)
    assert "\x1b[1m0.7000\x1b[0m" in text
    assert "\x1b[1m0.6000" not in text


def test_a_name_is_no_markup_and_steers_no_terminal() -> None:
    text = table([metric("interestrec", 0.6), metric("[red]x[/blue]\x1b[2J", 0.5)], width=80)
    assert "[red]x[/blue] [2J" in text
    assert "\x1b" not in text
