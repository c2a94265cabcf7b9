"""The model card of an export: what it was trained on, how good it is, how it was checked, and its limits."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.corpus.store import NO_TIME, Corpus
from interestrec.exporting.exported_tables import moment_text
from interestrec.io.schemas import OURS, SPLITS
from interestrec.model.two_tower_config import TwoTowerConfig
from interestrec.scoring.rank_settings import RankSettings

_SHOWN = ("ndcg@10", "hit@10", "recall@10", "auc", "mrr", "rmse")
_SYSTEMS = (OURS, "popularity")
_USES = {
    "savedmodel": "`python recommend.py examples.json` needs tensorflow; TensorFlow Serving takes `saved_model/`.",
    "onnx": "`python recommend.py examples.json` needs numpy and onnxruntime.",
    "litert": "`python recommend.py examples.json` needs numpy and ai-edge-litert.",
}
_LIMITS = (
    "Popularity and age of items, activity of users and the list of known users are those of the moment of the export; "
    "export again as often as they matter.",
    "Histories hold items of the export alone. A new item is ranked by the graph `score`, after `embed_items`.",
    "Metrics are of the people and the time of the log; they say little about others.",
)


def data_figures(corpus: Corpus, data_format: str, split: str) -> dict[str, Any]:
    """Return the figures of a corpus by name."""
    counts = np.bincount(corpus.timelines.split, minlength=len(SPLITS))
    return {
        "format": data_format,
        "users": corpus.users.num_rows,
        "items": corpus.items.num_rows,
        "split": split,
        **{f"events of {name}": int(count) for name, count in zip(SPLITS, counts, strict=True)},
        "last event": moment_text(int(corpus.timelines.time.max(initial=NO_TIME))) or "events have no times",
    }


def differences_of_lists(
    rank: RankSettings, config: TwoTowerConfig, components: Sequence[str] | None, is_updated: bool
) -> list[str]:
    """Return in sentences what lists of the product have and those of an export do not.

    Args:
        components: of the workspace's decision; None if there is none.
        is_updated: whether `update` brought anything into the decision.
    """
    found = []
    if others := [name for name in components or () if name != "intensity"]:
        found.append(
            f"The workspace's decision blends further components ({', '.join(others)}), which are not exported: its "
            "lists differ from those of this export, which are those of `rank.components: [intensity]`."
        )
    if is_updated:
        found.append("The events and items that `update` brought into the decision after the corpus are not exported.")
    if rank.retrieve is not None:
        found.append("rank.retrieve: here all items are scored in full.")
    rules = rank.rules
    if rules.seen != "out":
        found.append(f"rank.rules.seen {rules.seen}: recommend.py leaves out what was seen; see the input `excluded`.")
    if rules.per_category is not None or rules.diversity > 0:
        found.append("rank.rules.per_category and diversity: lists are in the order of scores.")
    if rules.available is not None or rules.max_age_days is not None:
        found.append("rank.rules.available and max_age_days: give the items to leave out as `excluded`.")
    if config.tasks:
        found.append("finetune.tasks: what they predict is not exported.")
    return found


def model_card(signature: Mapping[str, Any], data: Mapping[str, Any], metrics: pa.Table | None) -> str:
    """Return the card in Markdown.

    Args:
        signature: content of signature.json.
        data: figures of the corpus by name.
        metrics: table of report_schemas.METRICS; None: there is no report.
    """
    checked = signature["checked"]
    lines = [
        "# Model card",
        "",
        f"A two-tower model of interest intensity, exported by interestrec {signature['release']} for "
        f"{signature['runtime']}{' with 8-bit weights' if signature['int8'] else ''}.",
        "",
        "## Use",
        "",
        f"{_USES[signature['runtime']]} It prints a list per request. `signature.json` describes the graphs "
        f"({', '.join(signature['graphs'])}), their inputs and outputs. The number of items k, the length of "
        f"histories (the latest {signature['max_history']} events are read) and the number of requests are free.",
        "",
        "## Data",
        "",
        *_table(("what", "value"), [(name, _figure(value)) for name, value in data.items()]),
        "",
        "## Metrics on the test split",
        "",
        *_metric_lines(metrics, signature["components"]),
        "",
        "## Checks in the runtime",
        "",
        *_table(
            ("checked", "values", "largest difference"),
            [_check(name, checked[name]) for name in _CHECKS if name in checked],
        ),
        *_quantised(checked),
        "",
        "## Limits",
        "",
        *(f"- {limit}" for limit in (*signature["not_reproduced"], *_LIMITS)),
        "",
    ]
    return "\n".join(lines)


_CHECKS = {"order": "scores", "strength": "logits of strength", "lists": "places of lists", "texts": "vectors of texts"}


def _check(name: str, found: Mapping[str, Any]) -> tuple[str, str, str]:
    return _CHECKS[name], f"{found['values']:,}", f"{found['difference']:.1e}"


def _quantised(checked: Mapping[str, Any]) -> list[str]:
    found = checked.get("int8")
    if found is None:
        return []
    return [
        "",
        f"With 8-bit weights ndcg@10 changes from {found['before']:.4f} to {found['after']:.4f} over "
        f"{found['users']:,} test users, a loss of {found['loss']:.2%} (95 % interval {found['low']:.2%} to "
        f"{found['high']:.2%}). Both are "
        "with what is popular at the moment of the export, so neither compares with the metrics above."
        + (f" The smallest cosine of a text's vector is {found['cosine']:.4f}." if "cosine" in found else ""),
    ]


def _metric_lines(metrics: pa.Table | None, components: Sequence[str] | None) -> list[str]:
    if metrics is None:
        return ["The workspace has no report; `interestrec evaluate` makes one, and the next export shows it."]
    kept = pc.and_(
        pc.equal(metrics["slice"], "all"),
        pc.and_(pc.is_in(metrics["system"], pa.array(_SYSTEMS)), pc.is_in(metrics["metric"], pa.array(_SHOWN))),
    )
    rows = [
        (row["system"], row["protocol"], row["metric"], f"{row['value']:.4f}", _interval(row), f"{row['n']:,}")
        for row in metrics.filter(kept).to_pylist()
        if row["value"] is not None
    ]
    of = "" if components is None else f" {OURS} is the decision of {', '.join(components)}."
    return [
        f"From the workspace's report, with 95 % intervals over users.{of}",
        "",
        *_table(("system", "protocol", "metric", "value", "interval", "n"), rows),
    ]


def _interval(row: Mapping[str, Any]) -> str:
    return "" if row["ci_low"] is None else f"{row['ci_low']:.4f} to {row['ci_high']:.4f}"


def _figure(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
