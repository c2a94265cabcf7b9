"""Plots of a search of settings as inline SVG: slices, parallel coordinates, learning curves, importance.

The better values of a metric are at the top, or on the right, also where lower ones are better: that axis is reversed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from interestrec.learning.halving import CONFIGURED
from interestrec.learning.setting_importance import SearchImportance
from interestrec.learning.tuning_tables import COMPLETE
from interestrec.report.plots import GRID, INK, OTHER_COLOR, OURS_COLOR, THIRD_COLOR, svg
from interestrec.report.setting_axis import SettingAxis, setting_name
from interestrec.report.text_columns import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PALE, _SOLID = 0.35, 0.9  # opacity of halved and of complete trials
_WIDTH, _SLICE_WIDTH = 4.0, 3.2  # inches; several slices stand beside each other
_MAX_KEY_WIDTH = 28  # characters of a setting beside its bar
_MOST_TICKS = 8  # rungs that are labelled one by one
_MARGIN = 0.05  # of an axis, on both sides


@dataclass(frozen=True)
class DrawnTrials:
    """The trials of one system for drawing.

    Args:
        rows: of report_schemas.TRIALS, those with a value.
        metric: its name.
        lower: whether a lower value is better.
    """

    rows: Sequence[Mapping[str, Any]]
    metric: str
    lower: bool

    @property
    def label(self) -> str:
        """Label of an axis of the metric."""
        return f"{self.metric} (lower is better)" if self.lower else self.metric

    @cached_property
    def settings(self) -> dict[int, dict[str, Any]]:
        """Settings by number of the trial."""
        return {row["trial"]: json.loads(row["settings"]) for row in self.rows}

    def axis(self, key: str, dimension: Mapping[str, Any]) -> SettingAxis:
        """Return the axis of a setting."""
        return SettingAxis(key, dimension, [self.settings[row["trial"]][key] for row in self.rows])

    @cached_property
    def best(self) -> int | None:
        """Number of the best trial."""
        return next((row["trial"] for row in self.rows if row["best"]), None)


def importance_plot(importance: SearchImportance) -> str:
    """Return an SVG element: one bar per setting, and a mark at what chance gives."""

    def draw(axes: "Axes") -> None:
        for position, one in enumerate(importance.settings):
            color = OURS_COLOR if one.stands_out else OTHER_COLOR
            axes.barh([position], [one.share], height=0.5, color=color, alpha=_SOLID if one.stands_out else 0.5)
            axes.plot([one.by_chance] * 2, [position - 0.38, position + 0.38], color=INK, linewidth=1.6)
        names = [shorten(setting_name(one.key), _MAX_KEY_WIDTH) for one in importance.settings]
        axes.set_yticks(range(len(names)), names, parse_math=False)
        axes.invert_yaxis()
        axes.set_xlim(left=0)
        axes.set_xlabel("share of importance; mark: by chance")
        axes.grid(axis="x", color=GRID)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)

    return svg(draw, 0.8 + 0.3 * len(importance.settings), _WIDTH)


def slice_plot(trials: DrawnTrials, axis: SettingAxis) -> str:
    """Return an SVG element: the metric of each trial over one setting."""

    def draw(axes: "Axes") -> None:
        for row in trials.rows:
            value = trials.settings[row["trial"]][axis.key]
            place = value if axis.categories is None else axis.categories.index(value) + _strip(row["trial"])
            color, size, marker, order = _mark(trials, row["trial"])
            opacity = _SOLID if row["state"] == COMPLETE else _PALE
            axes.plot([place], [row["value"]], marker, color=color, markersize=size, alpha=opacity, zorder=order)
        if axis.categories is not None:
            axes.set_xticks(range(len(axis.categories)), axis.labels, parse_math=False)
            axes.set_xlim(-0.5, len(axis.categories) - 0.5)
        else:
            _number_ticks(axes, axis)
        axes.set_xlabel(axis.name, parse_math=False)
        axes.set_ylabel(trials.label)
        axes.locator_params(axis="y", nbins=5)
        axes.grid(axis="y", color=GRID)
        if trials.lower:
            axes.invert_yaxis()

    return svg(draw, 2.3, _SLICE_WIDTH)


def parallel_plot(trials: DrawnTrials, settings: Sequence[SettingAxis]) -> str:
    """Return an SVG element: one line per trial from its first setting down to its metric.

    The axes lie below each other, so that their names have room on a narrow screen.
    """
    from matplotlib import colormaps

    values = {row["trial"]: row["value"] for row in trials.rows}
    low, high = min(values.values()), max(values.values())

    def quality(value: float) -> float:
        share = (value - low) / (high - low) if high > low else 0.5
        return 1 - share if trials.lower else share

    def draw(axes: "Axes") -> None:
        rows = np.arange(len(settings) + 1)
        for row in trials.rows:
            is_best, place = row["trial"] == trials.best, quality(row["value"])
            places = [axis.position(trials.settings[row["trial"]][axis.key]) for axis in settings]
            color = OURS_COLOR if is_best else colormaps["viridis_r"](place)
            width, order = (3.0, 4) if is_best else (1.2, 2)
            opacity = _SOLID if is_best or row["state"] == COMPLETE else _PALE
            axes.plot([*places, place], rows, color=color, alpha=opacity, linewidth=width, zorder=order)
        worst_to_best = (high, low) if trials.lower else (low, high)
        ends = [f"{value:.4f}" for value in (worst_to_best if high > low else (low,))]
        for row_number, axis in enumerate(settings):
            _axis_row(axes, row_number, axis.name, axis.labels, axis.label_positions)
        _axis_row(axes, len(settings), trials.label, ends, [0.0, 1.0] if high > low else [0.5])
        axes.set_xlim(-2 * _MARGIN, 1 + 2 * _MARGIN)
        axes.set_ylim(len(settings) + 0.5, -0.6)
        axes.axis("off")

    return svg(draw, 0.3 + 0.66 * (len(settings) + 1), _WIDTH)


def curves_plot(trials: DrawnTrials, curves: Sequence[Mapping[str, Any]], unit: str) -> str:
    """Return an SVG element: the metric of each trial by epoch or share of users; lines of halved trials end early.

    Args:
        curves: rows of report_schemas.CURVES of the system.
        unit: of rungs.
    """
    states = {row["trial"]: row["state"] for row in trials.rows}
    # Before training all trials are alike, and so far off that their differences later would vanish.
    learned = [point for point in curves if point["rung"] > 0]

    def draw(axes: "Axes") -> None:
        for number, state in states.items():
            points = sorted((p["rung"], p["value"]) for p in learned if p["trial"] == number)
            if not points:
                continue
            color, _, _, order = _mark(trials, number)
            opacity = _SOLID if state == COMPLETE else _PALE
            width = 3.0 if number == trials.best else 1.3
            line = "o--" if number == CONFIGURED else "o-"
            axes.plot(
                *zip(*points, strict=True),
                line,
                color=color,
                alpha=opacity,
                linewidth=width,
                markersize=3.5,
                zorder=order,
            )
        axes.set_xlabel(unit)
        axes.set_ylabel(trials.label)
        rungs = sorted({point["rung"] for point in learned})
        if len(rungs) <= _MOST_TICKS:
            axes.set_xticks(rungs)
        axes.grid(color=GRID)
        if trials.lower:
            axes.invert_yaxis()

    return svg(draw, 3.0, _WIDTH)


def _mark(trials: DrawnTrials, number: int) -> tuple[str, int, str, int]:
    """Return colour, size, marker and order of drawing of a trial."""
    if number == trials.best:
        return OURS_COLOR, 9, "D" if number == CONFIGURED else "o", 5
    if number == CONFIGURED:
        return THIRD_COLOR, 8, "D", 4
    return OTHER_COLOR, 6, "o", 3


def _strip(number: int) -> float:
    """Return by how much a point of a category is moved aside, so that points hide each other less."""
    return (number % 7 - 3) * 0.06


def _number_ticks(axes: "Axes", axis: SettingAxis) -> None:
    """Label numbers plainly: few of them, and on a logarithmic axis at equal ratios."""
    from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

    low, high = axis.ends
    if not axis.is_logarithmic:
        margin = _MARGIN * (high - low)
        axes.set_xlim(low - margin, high + margin)
        axes.locator_params(axis="x", nbins=4)
        return
    axes.set_xscale("log")
    margin = (high / low) ** _MARGIN
    axes.set_xlim(low / margin, high * margin)
    axes.xaxis.set_major_locator(FixedLocator([float(f"{tick:.1g}") for tick in np.geomspace(low, high, 4)]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def _axis_row(axes: "Axes", row: int, name: str, labels: Sequence[str], positions: Sequence[float]) -> None:
    """Draw one of several parallel axes: a line, its name above, and labels below it."""
    axes.plot([0, 1], [row, row], color=OTHER_COLOR, linewidth=0.8, zorder=1)
    behind = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.5}  # lines cross the texts
    text: dict[str, Any] = {"parse_math": False, "color": INK, "zorder": 6, "bbox": behind}
    axes.text(0, row - 0.12, name, fontsize=10, fontweight="bold", ha="left", va="bottom", **text)
    for label, position in zip(labels, positions, strict=True):
        axes.plot([position], [row], "|", color=INK, markersize=6, zorder=1)
        axes.text(position, row + 0.1, label, fontsize=9, ha="center", va="top", **text)
