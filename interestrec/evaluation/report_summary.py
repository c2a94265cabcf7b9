"""What a stage says of a report that is written: its verdicts, its metrics over all lists, and what the audit found."""

from pathlib import Path
from typing import Any

from interestrec.evaluation import leak_audit
from interestrec.evaluation.metric_rows import metrics_by_system
from interestrec.evaluation.slices import ALL
from interestrec.io import artifact_files, files, report_schemas


def summarise_report(path: Path, n_seeds: int) -> dict[str, Any]:
    """Return the summary of a report over `n_seeds` seeds, from the files in its directory."""
    rows = files.read_parquet(path / artifact_files.METRICS, report_schemas.METRICS).to_pylist()
    slices = files.read_json(path / artifact_files.SLICES)
    summary: dict[str, Any] = {
        "report": str(path / artifact_files.REPORT_PAGE),
        "seeds": n_seeds,
        "slices_left_out": sum(len(names) for names in slices["left_out"].values()),
        "rows_suppressed": slices["rows_suppressed"],
        "leaks": [
            check["check"]
            for check in files.read_json(path / artifact_files.AUDIT)
            if check["verdict"] == leak_audit.LOOK
        ],
        "verdicts": files.read_json(path / artifact_files.VERDICTS),
    }
    for protocol in dict.fromkeys(row["protocol"] for row in rows):
        summary[protocol] = metrics_by_system(
            [row for row in rows if row["protocol"] == protocol and row["slice"] == ALL]
        )
    return summary
