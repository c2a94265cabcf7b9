"""The `evaluate` section of the configuration: metrics, their intervals, and the quality gate."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator

from interestrec.core.choices import suggestion
from interestrec.core.section import Count, Section
from interestrec.evaluation.requirements import validate_bound


def _known_metric(name: str) -> str:
    """Return the name if `metrics/` registers it, with a number for its k.

    Raises:
        ValueError: the metric does not exist.
    """
    # The registries are imported here because they load NumPy, which takes a tenth of a second.
    from interestrec.metrics.intensity_errors import INTENSITY_METRICS
    from interestrec.metrics.ranking import RANKING_METRICS, cutoff

    k = cutoff(name)
    known = [*RANKING_METRICS, *INTENSITY_METRICS]
    if (name if k is None else f"{name.partition('@')[0]}@k") in known and not name.endswith("@k"):
        return name
    hint = suggestion(name, [candidate.replace("@k", f"@{k or 10}") for candidate in known])
    raise ValueError(f"unknown metric '{name}'{hint}; choose from: {', '.join(known)}, k a number as in ndcg@10")


class EvaluateSettings(Section):
    """Metrics, their intervals, and the quality gate."""

    metrics: list[Annotated[str, AfterValidator(_known_metric)]] = [
        *("auc", "mrr", "rr", "ndcg@5", "ndcg@10", "hit@10", "recall@20", "map@10"),
        *("rmse", "logloss", "mae", "brier", "ece", "spearman"),
    ]
    """Metrics to compute; `@k` restricts a metric to the first k places. docs/evaluation.md defines each of them."""
    gain: Literal["binary", "graded"] = "binary"
    """Gain of a candidate in `ndcg`: `binary` = 1 if it is relevant, `graded` = its label."""
    item_slices: list[str] = []
    """Columns of `data.items.attributes`, such as a language, whose most frequent values are reported as slices: lists
    with a relevant item of the value. Scripts of titles and categories are slices without being listed."""
    bootstrap: Count = 1000
    """Number of resamples over users for each interval and test; more resamples give finer p-values (the smallest is
    1 / (1 + bootstrap)) and take longer."""
    min_users: Count = 1
    """Minimum number of distinct users behind any figure of the report and of `describe`; figures of smaller groups are
    withheld. 1 = everything is shown."""
    require: list[Annotated[str, AfterValidator(validate_bound)]] = []
    """Requirements on the metrics of `interestrec`, such as `impressions:warm_users/auc>=0.62`; if one does not hold,
    `evaluate` writes the report and ends with status 1."""
    not_worse_than: Path | None = None
    """An earlier report, or its workspace; if quality fell since then, `evaluate` writes the report and ends with
    status 1. `null` = no comparison."""
