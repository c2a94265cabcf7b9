"""The table a person reads in the terminal."""

import io

import pyarrow as pa

from interestrec.core.printable import printable
from interestrec.evaluation.metric_rows import TITLES, best, by_system
from interestrec.evaluation.metric_sums import LOWER_IS_BETTER
from interestrec.evaluation.slices import ALL
from interestrec.io.schemas import is_part


def metrics_table(metrics: pa.Table, width: int, color: bool = False) -> str:
    """A table a protocol: systems as rows, ours first, metrics as columns, the best value in bold.

    Only all lists are shown, no slices.

    Args:
        metrics: rows of schemas.METRICS.
        width: columns of the terminal.
        color: whether to use bold type, for a terminal; without it the best value is marked with a star.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    rows = [row for row in metrics.to_pylist() if row["slice"] == ALL and not is_part(row["system"])]
    console = Console(file=io.StringIO(), width=width, force_terminal=color, color_system="standard" if color else None)
    for protocol, title in TITLES.items():
        here = [row for row in rows if row["protocol"] == protocol]
        if not here:
            continue
        names = list(dict.fromkeys(row["metric"] for row in here))
        n = max(row["n"] for row in here)
        table = Table()
        table.add_column("system", no_wrap=True, min_width=max(len(row["system"]) for row in here))
        for name in names:
            table.add_column(name + (" ↓" if name in LOWER_IS_BETTER else ""), justify="right", no_wrap=True)
        for system, values in by_system(here).items():
            table.add_row(
                escape(printable(system)), *(_shown(values.get(name), best(here, name), color) for name in names)
            )
        console.print(f"{title} (n = {n:,})", table, sep="\n", highlight=False)
    written = console.file
    return written.getvalue() if isinstance(written, io.StringIO) else ""


def _shown(value: float | None, best_value: float | None, color: bool) -> str:
    if value is None:
        return "n/a"
    text = f"{value:.4f}"
    if value != best_value:
        return text if color else f"{text} "
    return f"[bold]{text}[/bold]" if color else f"{text}*"
