"""The tables of docs/quality.md, for `scripts/bench.py quality`: data sets × test windows × systems.

    scripts/bench.py quality --to workspace/quality --data /mnt/sets --windows 4
    scripts/bench.py quality --to workspace/quality --sets ml_100k --windows 2 --set evaluate.bootstrap=4000
    scripts/bench.py quality --to workspace/quality --data /mnt/sets --key rank.trials --values 8,4

Every set is run with `interestrec run --windows`, or without windows where its split has none, and the figures are
read from the artifact `windows` or `report`. A set is a directory in `--data` whose name begins with the set's (ML-100K
is that of `interestrec fetch ml-100k`); sets that are absent are skipped and named. What is up to date is not run
again. One JSON line per set goes to standard output; the tables go to `quality.md` in `--to`.

`--key` chooses a default leaving one data set out: for each set, the value whose ndcg@10 (AUC where impressions are
ranked) is best on the mean of all other sets, each relative to its mean over the values. Regret is what the set itself
loses by that choice; the interval compares it with the first value, the default today, paired by user.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent
_OURS = "interestrec"
_SEGMENTS = {"all": "all", "warm_users": "warm users", "cold_users": "new users", "cold_items": "cold items"}

Measure = Callable[..., tuple[int, float, float]]  # see bench.measure
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class DataSet:
    """A data set: its configuration, and its directory in `--data` by the beginning of its name."""

    name: str
    config: str
    directory: str
    overrides: tuple[str, ...] = ()

    def root(self, data: Path | None) -> Path | None:
        """Return the directory of the raw files, None if it is absent."""
        within = [path for path in (data, _ROOT / "data") if path is not None]
        found = [path for parent in within for path in sorted(parent.glob(f"{self.directory}*")) if path.is_dir()]
        return found[0] if found else None


SETS = (
    DataSet("ml_100k", "configs/quickstart.yaml", "ml-100k"),
    DataSet("online_retail", "configs/shop.yaml", "online_retail"),
    DataSet("ml_latest_small", "configs/video.yaml", "ml_latest_small"),
    DataSet("steam", "configs/games.yaml", "steam"),
    DataSet("x_wines", "scripts/quality/x_wines.yaml", "x_wines"),
    DataSet("x_wines_user_time", "scripts/quality/x_wines.yaml", "x_wines", ("preprocess.split.method=user_time",)),
    DataSet("lastfm_friends", "scripts/quality/lastfm_friends.yaml", "lastfm_friends"),
    DataSet("nemig", "configs/news-nemig.yaml", "nemig"),
)


@dataclass(frozen=True)
class SetResult:
    """The figures of one data set."""

    name: str
    windows: int
    metric: str
    rows: Rows  # per segment and system: value, window_sd, n, and the comparison with ours
    reports: tuple[Path, ...]  # the report of each window
    seconds: float  # of all stages of all windows, whenever they ran
    peak_gib: float | None  # of this run; None if it built nothing

    @property
    def score(self) -> float:
        """The metric of our system over all lists."""
        return next(float(row["value"]) for row in self.rows if (row["system"], row["slice"]) == (_OURS, "all"))


def run_set(
    data_set: DataSet, root: Path, to: Path, windows: int, overrides: Sequence[str], measure: Measure
) -> SetResult:
    """Run a data set in `to/<name>` and read its figures; a failure ends the benchmark."""
    from interestrec.config.loading import load_config
    from interestrec.corpus.split import windows_refusal

    config, keys = str(_ROOT / data_set.config), [f"data.root={root}", *data_set.overrides, *overrides]
    settings = load_config(config, keys, to / data_set.name)
    n_windows = 1 if windows_refusal(settings.preprocess.split.method) else windows
    command = [sys.executable, "-m", "interestrec", "run", "--json", "--config", config]
    command += ["--workspace", str(to / data_set.name), *(word for key in keys for word in ("--set", key))]
    command += ["--windows", str(n_windows)] if n_windows > 1 else []
    with (to / f"{data_set.name}.json").open("w+") as output:
        status, _, peak = measure(command, stdout=output, cwd=_ROOT)
        output.seek(0)
        document = json.loads(output.read() or "{}")
    if status:
        sys.exit(f"{data_set.name} ended with exit status {status}: {document.get('error', 'see the log above')}")
    stages = document["stages"]
    artifacts = [Path(stage["artifact"]) for stage in stages]
    reports = tuple(path for path in artifacts if (path / "per_user.parquet").exists())
    seconds = sum(_last_line(path / "timing.jsonl")["seconds"] for path in dict.fromkeys(artifacts))
    metric, rows = read_rows(artifacts[-1])
    built = any(stage["built"] for stage in stages)
    return SetResult(data_set.name, n_windows, metric, rows, reports, round(seconds, 1), peak if built else None)


def read_rows(artifact: Path) -> tuple[str, Rows]:
    """Return the metric and the rows by segment and system of a `report`, or of `windows` the means over windows."""
    import pyarrow.parquet as pq

    from interestrec.evaluation.verdicts import WORSE, headline, verdict_word

    metrics = json.loads((artifact / "metrics.json").read_text())
    protocol = "impressions" if any(row["protocol"] == "impressions" for row in metrics) else "catalogue"
    metric = str(headline(metrics, protocol))
    compared: dict[tuple[str, str], dict[str, Any]] = {}
    worse: dict[tuple[str, str], list[int]] = {}
    for row in pq.read_table(artifact / "comparisons.parquet").to_pylist():
        if (row["protocol"], row["metric"]) != (protocol, metric):
            continue
        key = row["slice"], row["system_b"]
        if row.get("window") is None:
            compared[key] = {**{name: row[name] for name in ("difference", "ci_low", "ci_high", "p_holm")}}
            compared[key]["word"] = verdict_word(row)
        elif verdict_word(row) == WORSE:
            worse.setdefault(key, []).append(row["window"])
    rows = []
    for row in metrics:
        picked = row["slice"] in _SEGMENTS and (row["protocol"], row["metric"]) == (protocol, metric)
        if picked and row.get("window") is None:
            key = row["slice"], row["system"]
            values = {name: row.get(name) for name in ("system", "slice", "value", "window_sd", "n")}
            rows.append({**values, **compared.get(key, {}), "worse_in": worse.get(key, [])})
    return metric, rows


def _last_line(path: Path) -> Any:
    return json.loads(path.read_text().splitlines()[-1])


def overview(results: Sequence[SetResult]) -> list[str]:
    """Return the table of all sets: ours against the strongest other system of each segment."""
    lines = [
        "| data set | windows | segment | lists | interestrec | strongest other | difference, 95 % interval | p, Holm "
        "| worse in window | s | GiB |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        for segment, title in _SEGMENTS.items():
            rows = {row["system"]: row for row in result.rows if row["slice"] == segment and row["value"] is not None}
            rivals = [row for name, row in rows.items() if name != _OURS and not _is_part(name)]
            if _OURS not in rows or not rivals:
                continue
            ours, best = rows[_OURS], max(rivals, key=lambda row: row["value"])
            cost = [f"{result.seconds:,.0f}", "" if result.peak_gib is None else str(result.peak_gib)]
            cells = [result.name, result.windows, title, f"{ours['n']:,}", _value(ours)]
            cells += [f"{best['system']} {_value(best)}", _difference(best), _p(best)]
            cells += [", ".join(map(str, best["worse_in"])), *(cost if segment == "all" else ["", ""])]
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def details(result: SetResult) -> list[str]:
    """Return the table of one set: every system by segment, with ours minus it and its interval."""
    segments = [segment for segment in _SEGMENTS if any(row["slice"] == segment for row in result.rows)]
    lines = [f"| {result.metric}, ours minus it | {' | '.join(_SEGMENTS[segment] for segment in segments)} |"]
    lines.append("|---" * (len(segments) + 1) + "|")
    cells = {(row["system"], row["slice"]): row for row in result.rows}
    systems = [row["system"] for row in result.rows if row["slice"] == "all"]
    systems.sort(key=lambda name: (_is_part(name), -(cells[name, "all"]["value"] or 0)))
    for system in systems:
        texts = [_with_difference(cells.get((system, segment))) for segment in segments]
        lines.append(f"| {system} | {' | '.join(texts)} |")
    return lines


def _is_part(system: str) -> bool:
    from interestrec.io.schemas import is_part

    return is_part(system)


def _value(row: Mapping[str, Any]) -> str:
    spread = "" if row["window_sd"] is None else f" ± {row['window_sd']:.4f}"
    return f"{row['value']:.4f}{spread}"


def _difference(row: Mapping[str, Any]) -> str:
    if "difference" not in row:
        return ""
    return f"{row['difference']:+.4f} ({row['ci_low']:+.4f} to {row['ci_high']:+.4f})"


def _p(row: Mapping[str, Any]) -> str:
    return f"{row['p_holm']:.3f}" if "p_holm" in row else ""


def _with_difference(row: Mapping[str, Any] | None) -> str:
    if row is None or row["value"] is None:
        return ""
    return f"{_value(row)}<br>{_difference(row)}" if "difference" in row else _value(row)


def leave_one_out(scores: Mapping[str, Mapping[str, float]]) -> dict[str, str]:
    """Return for each data set the value that is best on the others, from scores by set and value.

    A set's scores are divided by their mean over the values, so that every set counts the same; ties go to the value
    that comes first.
    """
    relative = {
        name: {value: score / (sum(of.values()) / len(of)) for value, score in of.items()}
        for name, of in scores.items()
    }
    choices = {}
    for name in scores:
        others = [of for other, of in relative.items() if other != name]
        choices[name] = max(scores[name], key=lambda value: sum(of[value] for of in others))
    return choices


def defaults(results: Mapping[str, Mapping[str, SetResult]], key: str) -> list[str]:
    """Return the table of the choice of a default among the values of one key, by data set and value."""
    choices = leave_one_out({name: {value: of.score for value, of in each.items()} for name, each in results.items()})
    values = list(next(iter(results.values())))
    lines = [
        f"| left out | {' | '.join(f'{key}={value}' for value in values)} | chosen on the others | regret "
        f"| chosen minus {values[0]}, 95 % interval |",
        "|---" * (len(values) + 4) + "|",
    ]
    for name, each in results.items():
        chosen = each[choices[name]]
        regret = max(of.score for of in each.values()) - chosen.score
        scores = [f"{each[value].score:.4f}" for value in values]
        change = "" if choices[name] == values[0] else _change(chosen, each[values[0]])
        lines.append(f"| {name} | {' | '.join(scores)} | {choices[name]} | {regret:.4f} | {change} |")
    return lines


def _change(new: SetResult, old: SetResult) -> str:
    """Return the difference of two runs of the same windows over the users of all windows."""
    from interestrec.evaluation import regression

    protocol = "impressions" if new.metric == "auc" else "catalogue"
    values = [_user_values(result.reports, (protocol, new.metric)) for result in (new, old)]
    change = regression.metric_changes(*values, [(protocol, new.metric)], paired=True, resamples=1000, seed=1)[0]
    return f"{change.new - change.old:+.4f} ({change.ci_low:+.4f} to {change.ci_high:+.4f})"


def _user_values(reports: Sequence[Path], key: tuple[str, str]) -> dict[tuple[str, str], Any]:
    """Return the values per user and window of our system; each window counts the same."""
    import numpy as np
    import pyarrow as pa

    from interestrec.evaluation.regression import ReportValues, read_report_values

    parts = [read_report_values(report / "per_user.parquet", _OURS)[key] for report in reports]
    ids = [pa.array([f"{n} {user}" for user in part.user_id.to_pylist()]) for n, part in enumerate(parts)]
    weights = np.concatenate([part.n / part.n.sum() for part in parts])
    return {key: ReportValues(pa.concat_arrays(ids), np.concatenate([part.value for part in parts]), weights)}


def add_parser(benches: Any) -> None:
    """Add the subcommand `quality`."""
    parser = benches.add_parser("quality", help="every data set at hand, its test windows, every system")
    names = [data_set.name for data_set in SETS]
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="directory for workspaces and tables")
    parser.add_argument("--data", type=Path, metavar="DIR", help="directory of the data sets")
    parser.add_argument("--sets", default=",".join(names), metavar="A,B", help=f"of {', '.join(names)}; default: all")
    parser.add_argument("--windows", type=int, default=4, help="4 by default")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as of interestrec; repeatable")
    parser.add_argument("--key", metavar="KEY", help="choose a default of this key, leaving one data set out")
    parser.add_argument("--values", metavar="A,B", help="its values, today's default first")


def run(arguments: argparse.Namespace, measure: Measure) -> None:
    """Run the benchmark with the arguments of the command line."""
    to, data = arguments.to.resolve(), arguments.data and arguments.data.resolve()
    to.mkdir(parents=True, exist_ok=True)
    chosen = {data_set.name: data_set for data_set in SETS}
    if unknown := set(arguments.sets.split(",")) - chosen.keys():
        sys.exit(f"--sets {', '.join(sorted(unknown))}: choose from {', '.join(chosen)}")
    roots = {name: chosen[name].root(data) for name in arguments.sets.split(",")}
    if absent := [name for name, root in roots.items() if root is None]:
        print(f"skipped, as their directory is absent: {', '.join(absent)}", file=sys.stderr)
    values = [f"{arguments.key}={value}" for value in arguments.values.split(",")] if arguments.key else [None]
    results: dict[str, dict[str, SetResult]] = {}
    for name, root in roots.items():
        for value in values if root is not None else ():
            keys = [*arguments.set, *([value] if value else ["rank.ablation=full", "evaluate.bootstrap=4000"])]
            result = run_set(chosen[name], root, to, arguments.windows, keys, measure)
            results.setdefault(name, {})[value.partition("=")[2] if value else ""] = result
            line = {"what": "quality", "set": name, "with": keys, "windows": result.windows, "metric": result.metric}
            print(json.dumps({**line, "value": result.score, "seconds": result.seconds, "peak_gib": result.peak_gib}))
    if arguments.key:
        lines = defaults(results, arguments.key) if len(results) > 1 else sys.exit("--key needs two data sets or more")
    else:
        runs = [result for each in results.values() for result in each.values()]
        lines = [*overview(runs), *(line for one in runs for line in ("", f"### {one.name}", "", *details(one)))]
    revision = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=_ROOT, capture_output=True, text=True)
    (to / "quality.md").write_text("\n".join([f"Revision {revision.stdout.strip()}.", "", *lines]) + "\n")
    print(f"{to / 'quality.md'}", file=sys.stderr)
