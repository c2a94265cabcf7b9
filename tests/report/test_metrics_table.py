"""The terminal table."""

import pyarrow as pa

from interestrec.io import schemas
from interestrec.report.metrics_table import metrics_table
from tests.evaluation.rows import metric


def test_ours_comes_first_and_the_best_of_each_metric_is_marked() -> None:
    rows = [
        metric("content", 0.7),
        metric("interestrec", 0.6),
        metric("content", 0.4, "rmse", "intensity"),
        metric("interestrec", 0.3, "rmse", "intensity"),
        metric("random", None),
    ]
    lines = metrics_table(pa.Table.from_pylist(rows, schema=schemas.METRICS), width=60).splitlines()
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if line.startswith("│")]
    assert cells == [
        ["interestrec", "0.6000"],
        ["content", "0.7000*"],
        ["random", "n/a"],
        ["interestrec", "0.3000*"],
        ["content", "0.4000"],
    ]
    assert lines[0].strip() == "Within impressions (n = 12)"


def test_bold_marks_the_best_on_a_terminal() -> None:
    rows = [metric("content", 0.7), metric("interestrec", 0.6)]
    text = metrics_table(pa.Table.from_pylist(rows, schema=schemas.METRICS), width=60, color=True)
    assert "\x1b[1m0.7000\x1b[0m" in text
    assert "\x1b[1m0.6000" not in text


def test_a_name_is_no_markup_and_steers_no_terminal() -> None:
    rows = [metric("interestrec", 0.6), metric("[red]x[/blue]\x1b[2J", 0.5)]
    text = metrics_table(pa.Table.from_pylist(rows, schema=schemas.METRICS), width=80)
    assert "[red]x[/blue] [2J" in text
    assert "\x1b" not in text
