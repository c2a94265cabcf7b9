"""Plots as inline SVG; equal data give equal bytes."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from interestrec.evaluation.deletion_curves import DELETION_ORDERS
from interestrec.report.page_data import VALID_FIGURES, Reliability
from interestrec.report.text_columns import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OURS_COLOR, OTHER_COLOR, THIRD_COLOR, INK, GRID = "#1f6feb", "#6e7781", "#bf8700", "#24292f", "#eaeef2"
_MAX_LABEL_WIDTH = 36  # characters; a longer label would leave no room for the plot
_STYLE: Any = {
    "svg.hashsalt": "interestrec",  # ids inside the SVG are random without it
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.edgecolor": "#d0d7de",
    "axes.labelcolor": INK,
    "axes.axisbelow": True,
    "xtick.color": INK,
    "ytick.color": INK,
}


def interval_plot(
    rows: Sequence[dict[str, Any]],
    label: str,
    name_column: str = "system",
    our_system: str | None = None,
    line: float | None = None,
) -> str:
    """Return an SVG element with one point and its 95 % interval per row, from top to bottom.

    Args:
        rows: rows of report_schemas.METRICS with a value.
        label: label of the horizontal axis.
        name_column: column with the name of a row.
        our_system: name of the row in colour; None for all rows.
        line: value at which a vertical line is drawn.
    """

    def draw(axes: "Axes") -> None:
        for position, row in enumerate(rows):
            color = OURS_COLOR if our_system is None or row[name_column] == our_system else OTHER_COLOR
            low, high = (row["value"] if row[end] is None else row[end] for end in ("ci_low", "ci_high"))
            axes.plot([low, high], [position, position], color=color, linewidth=2, solid_capstyle="round")
            axes.plot([row["value"]], [position], "o", color=color, markersize=6)
        if line is not None:
            axes.axvline(line, color=OTHER_COLOR, linewidth=1, linestyle="--")
        # A category may be named "$5 and $10", which is not a formula.
        labels = [shorten(row[name_column], _MAX_LABEL_WIDTH) for row in rows]
        axes.set_yticks(range(len(rows)), labels, parse_math=False)
        axes.invert_yaxis()
        axes.set_xlabel(label)
        axes.locator_params(axis="x", nbins=6)
        axes.grid(axis="x", color=GRID)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)

    return svg(draw, 0.8 + 0.28 * len(rows))


def reliability_plot(bins: Reliability) -> str:
    """Return an SVG element: mean label over mean prediction per bin, and the diagonal of perfect calibration."""

    def draw(axes: "Axes") -> None:
        limit = float(max(bins.predicted.max(), bins.label.max(), 1e-3)) * 1.05
        axes.plot([0, limit], [0, limit], color=OTHER_COLOR, linewidth=1, linestyle="--")
        axes.plot(bins.predicted, bins.label, "o-", color=OURS_COLOR, linewidth=1.5, markersize=5)
        axes.set_xlim(0, limit)
        axes.set_ylim(0, limit)
        axes.set_xlabel("predicted intensity (mean of a bin)")
        axes.set_ylabel("observed (mean of a bin)")
        axes.grid(color=GRID)

    return svg(draw, 3.4)


def rank_plot(shares: Mapping[str, np.ndarray], our_system: str) -> str:
    """Return an SVG element: share of the relevant items up to each rank, one line per system."""

    def draw(axes: "Axes") -> None:
        colors = iter((OTHER_COLOR, THIRD_COLOR, "#8250df"))
        for system, share in shares.items():
            color, width = (OURS_COLOR, 2.2) if system == our_system else (next(colors), 1.4)
            axes.plot(np.arange(1, len(share) + 1), share, color=color, linewidth=width, label=system)
        axes.set_xlim(1, max(len(next(iter(shares.values()))), 2))
        axes.set_ylim(bottom=0)
        axes.set_xlabel("rank")
        axes.set_ylabel("relevant items found")
        axes.grid(color=GRID)
        axes.legend(frameon=False)

    return svg(draw, 3.4)


def deletion_plot(rows: Sequence[dict[str, Any]]) -> str:
    """Return an SVG element: mean fall of the score, with its interval, over the number of removed events.

    Args:
        rows: of `deletion_rows`, of one segment.
    """

    def draw(axes: "Axes") -> None:
        for (name, title), color in zip(DELETION_ORDERS.items(), (OURS_COLOR, THIRD_COLOR, OTHER_COLOR), strict=True):
            curve = [row for row in rows if row["by"] == name]
            if not curve:
                continue
            removed = [row["removed"] for row in curve]
            low, high = ([row[end] for row in curve] for end in ("ci_low", "ci_high"))
            axes.fill_between(removed, low, high, color=color, alpha=0.15, linewidth=0)
            axes.plot(removed, [row["score_drop"] for row in curve], "o-", color=color, markersize=4, label=title)
        axes.axhline(0, color=GRID, linewidth=1)
        axes.set_xlabel("removed events of the history")
        axes.set_ylabel("fall of the first item's score")
        axes.grid(color=GRID)
        axes.legend(frameon=False)

    return svg(draw, 3.2)


def training_plot(curves: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> str:
    """Return an SVG element: training loss (left axis) and validation figures (right axis) over steps."""

    def draw(axes: "Axes") -> None:
        if "loss" in curves:
            axes.plot(*curves["loss"], color=OTHER_COLOR, linewidth=1.4)
        axes.set_ylabel("training loss")
        axes.set_xlabel("step")
        axes.grid(axis="x", color=GRID)
        shown = [(name, title) for name, title in VALID_FIGURES.items() if name in curves]
        for (name, title), color in zip(shown, (OURS_COLOR, THIRD_COLOR), strict=False):
            figure_axes = axes.twinx()
            figure_axes.plot(*curves[name], "o-", color=color, linewidth=1.8, markersize=5)
            figure_axes.set_ylabel(title, color=color)
            figure_axes.spines["top"].set_visible(False)
            if name != shown[0][0]:  # each figure has a scale of its own
                figure_axes.spines["right"].set_position(("outward", 44))

    return svg(draw, 3.0)


def svg(draw: "Callable[[Axes], None]", height: float, width: float = 4.8) -> str:
    """Return what is drawn on axes as an SVG element that fits the page.

    Args:
        height: in inches.
        width: in inches; texts are larger in a narrow plot, which is meant to stand beside others.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.add_subplot()
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        draw(axes)
        target = io.StringIO()
        FigureCanvasSVG(figure).print_svg(target, metadata={"Date": None, "Creator": None})
    text = target.getvalue()
    element = text[text.index("<svg") :]
    # Without a fixed size the plot fits the page; the viewBox keeps the proportions.
    return re.sub(r' (?:width|height)="[\d.]+pt"', "", element, count=2)
