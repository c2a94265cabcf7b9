"""Curves over time as inline SVG; equal data give equal bytes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from interestrec.report import plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLORS = (plots.OURS_COLOR, plots.THIRD_COLOR, plots.OTHER_COLOR, "#8250df", "#1a7f37", "#cf222e")
_MARKS = "os^Dv*"  # colours alone do not tell the curves apart for everyone


def curve_plot(curves: Mapping[str, Sequence[Mapping[str, Any]]], x_label: str, y_label: str) -> str:
    """Return an SVG element with one line per name, and its interval as a band.

    Args:
        curves: rows with `x`, `value`, `ci_low` and `ci_high` by name; a row without a value leaves a gap, and one
            without an interval has no band.
    """

    def draw(axes: "Axes") -> None:
        for number, (name, rows) in enumerate(curves.items()):
            color, mark = _COLORS[number % len(_COLORS)], _MARKS[number % len(_MARKS)]
            known = [row for row in rows if row["value"] is not None]
            x = [row["x"] for row in known]
            low, high = (
                [row["value"] if row[end] is None else row[end] for row in known] for end in ("ci_low", "ci_high")
            )
            axes.fill_between(x, low, high, color=color, alpha=0.12, linewidth=0)
            line = [row["value"] for row in known]
            axes.plot(x, line, mark + "-", color=color, linewidth=1.6, markersize=4, label=name)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        axes.locator_params(axis="x", integer=True)
        axes.grid(color=plots.GRID)
        axes.legend(frameon=False)

    return plots.svg(draw, 3.2)
