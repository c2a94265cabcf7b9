"""Several events of one user and item in one split become one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from interestrec.core.errors import ConfigError
from interestrec.rawfiles.raw_log import RawLog, sql_string

if TYPE_CHECKING:
    from interestrec.corpus.preprocess_settings import IntensitySettings

# SQL of the intensity of a pair by the name that `preprocess.intensity.combine` takes. Sums run over whole numbers, so
# that threads can add in any order.
COMBINATIONS: Mapping[str, str] = {
    "max": "max(intensity)",
    "sum": "least(1.0, sum(CAST(round(intensity * 1e6) AS BIGINT)) / 1e6)",
    "last": "arg_max(intensity, (time, ord))",
    "noisy_or": "1.0 - exp(sum(CAST(round(ln(greatest(1.0 - intensity, 1e-9)) * 1e6) AS BIGINT)) / 1e6)",
}


def combine_events(log: RawLog, grading: IntensitySettings) -> None:
    """One event per user, item and split, at the time of the last; where that one is negative, so is the pair.

    Raises:
        ConfigError: the log records what was shown.
    """
    if grading.combine == "none":
        return
    if log.rows("impressions"):
        reason = "needs an event log, but this format has impressions; remove the key"
        raise ConfigError(f"preprocess.intensity.combine {reason}")
    zero = ", ".join(sql_string(kind) for kind, how in grading.negative.items() if how == "zero")
    negative = f"arg_max(event, (time, ord)) IN ({zero})" if zero else "false"
    rows = log.rows("events")
    log.replace_table(
        "events",
        'SELECT "user", item, max(time) AS time, arg_max(event, (intensity, ord)) AS event, '
        "arg_max(value, (time, ord)) AS value, max(ord) AS ord, 0 AS place, split, "
        f"CAST(CASE WHEN {negative} THEN 0.0 ELSE {COMBINATIONS[grading.combine]} END AS FLOAT) AS intensity "
        'FROM events GROUP BY "user", item, split',
    )
    reason = f"events of one user and item in one split are one, intensities combined by {grading.combine}"
    log.quality.count("combined events", rows, log.rows("events"), reason)
