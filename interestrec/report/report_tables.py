"""The tables of a report as data frames, for notebooks and other programs in Python."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from interestrec.core.errors import InputMissingError
from interestrec.io import files, report_schemas
from interestrec.io.artifact_files import METRICS, PER_USER
from interestrec.workspace.artifacts import open_within

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Report:
    """A report that `evaluate` wrote; a table is read when its property is used."""

    path: Path

    @classmethod
    def open(cls, path: str | Path) -> Report:
        """Open a report from its directory or its workspace; all of its files are checked.

        Raises:
            InputMissingError: there is no report.
            ArtifactError: the report is damaged, or the directory is not a report.

        Example:
            >>> report = interestrec.Report.open("workspace")
            >>> report.comparisons.query("protocol == 'catalogue' and metric == 'ndcg@10' and slice == 'all'")
        """
        return cls(open_within(Path(path), "report").path)

    @property
    def page(self) -> Path:
        """Path of the HTML report, a single file."""
        return self.path / "report.html"

    @property
    def metrics(self) -> pd.DataFrame:
        """One row per system, protocol, slice and metric: value, interval (ci_low, ci_high), n and dropped lists."""
        return files.read_parquet(self.path / METRICS, report_schemas.METRICS).to_pandas()

    @property
    def comparisons(self) -> pd.DataFrame:
        """One row per protocol, slice, metric and pair of systems: difference, interval, p and p_holm."""
        return files.read_parquet(self.path / "comparisons.parquet", report_schemas.COMPARISONS).to_pandas()

    @property
    def per_user(self) -> pd.DataFrame:
        """The values behind the means, per user.

        Raises:
            InputMissingError: the report has none, because evaluate.min_users hides small groups.
        """
        path = self.path / PER_USER
        if not path.exists():
            raise InputMissingError(f"{path}: the report has no values per user (evaluate.min_users is more than 1)")
        return files.read_parquet(path, report_schemas.PER_USER).to_pandas()


def read_metrics(path: str | Path) -> pd.DataFrame:
    """Read the metrics of a report from its directory or its workspace.

    Returns:
        One row per system, protocol (`impressions`, `catalogue`, `intensity`, `beyond`), slice and metric, with value,
        interval (ci_low, ci_high), n and dropped lists.

    Raises:
        InputMissingError: there is no report.
        ArtifactError: the report is damaged, or the directory is not a report.

    Example:
        >>> metrics = interestrec.read_metrics("workspace")
        >>> everyone = metrics[(metrics.protocol == "catalogue") & (metrics.slice == "all")]
        >>> everyone.pivot(index="system", columns="metric", values="value")
    """
    return Report.open(path).metrics
