"""Plots of a training run: one axis per figure that was validated."""

import numpy as np
import pytest

from interestrec.report.plots import training_plot

STEPS = np.array([0.0, 10, 20])
CURVES = {
    "loss": (STEPS, np.array([3.0, 2, 1])),
    "valid_auc": (STEPS, np.array([0.5, 0.6, 0.7])),
    "valid_ndcg": (STEPS, np.array([0.05, 0.06, 0.04])),
}


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["loss"], ["training loss"]),
        (["loss", "valid_auc"], ["training loss", "valid AUC"]),
        (["loss", "valid_auc", "valid_ndcg"], ["training loss", "valid AUC", "valid ndcg@10"]),
        (["valid_ndcg"], ["valid ndcg@10"]),
    ],
)
def test_each_figure_that_was_validated_has_a_curve_and_an_axis(names: list[str], labels: list[str]) -> None:
    plot = training_plot({name: CURVES[name] for name in names})
    for label in ("training loss", "valid AUC", "valid ndcg@10"):
        assert (f">{label}<" in plot) == (label in labels or label == "training loss")
    assert plot == training_plot({name: CURVES[name] for name in names})  # equal data, equal bytes
