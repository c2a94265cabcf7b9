"""Plots as inline SVG, the same bytes for the same figures."""

import io
import re
from collections.abc import Sequence
from typing import Any

OURS_COLOR, OTHER_COLOR, INK = "#1f6feb", "#6e7781", "#24292f"
_STYLE: Any = {
    "svg.hashsalt": "interestrec",  # ids inside the SVG are random without it
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.edgecolor": "#d0d7de",
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def interval_plot(rows: Sequence[dict[str, Any]], ours: str, label: str) -> str:
    """An SVG element: one point with its 95 % interval a system, ours in colour, top to bottom in order.

    Args:
        rows: of schemas.METRICS, one a system, with a value.
        label: of the horizontal axis.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(6.4, 0.8 + 0.32 * len(rows)), layout="constrained")
        axes = figure.add_subplot()
        for place, row in enumerate(rows):
            color = OURS_COLOR if row["system"] == ours else OTHER_COLOR
            low, high = (row["value"] if row[end] is None else row[end] for end in ("ci_low", "ci_high"))
            axes.plot([low, high], [place, place], color=color, linewidth=2, solid_capstyle="round")
            axes.plot([row["value"]], [place], "o", color=color, markersize=6)
        axes.set_yticks(range(len(rows)), [row["system"] for row in rows])
        axes.invert_yaxis()
        axes.set_xlabel(label)
        axes.grid(axis="x", color="#eaeef2")
        axes.set_axisbelow(True)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.tick_params(axis="y", length=0)
        target = io.StringIO()
        FigureCanvasSVG(figure).print_svg(target, metadata={"Date": None, "Creator": None})
    svg = target.getvalue()
    svg = svg[svg.index("<svg") :]
    # let the page's width decide; the viewBox keeps the proportions
    return re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2)
