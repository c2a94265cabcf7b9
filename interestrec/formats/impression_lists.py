"""Recording what was shown: lists of ids become lists of item codes, and what is unknown is counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from interestrec.core import ragged
from interestrec.core.deferred_import import np, pa, pc
from interestrec.formats.quality_log import EXAMPLES
from interestrec.formats.raw_log import RawLog

_UNRESOLVED = "the item has no row in the table of items"


@dataclass(frozen=True)
class CodedLists:
    """Lists of known items: list n is `items[offsets[n]:offsets[n + 1]]`; `kept` tells which entries were known."""

    offsets: np.ndarray  # int32 [lists + 1]
    items: np.ndarray  # int32 [known entries]
    kept: np.ndarray  # bool [entries]
    unknown: pa.Array  # string [entries that are not known]

    def lists(self, values: np.ndarray | pa.Array | None = None) -> pa.ListArray:
        """The lists, of items or of other values that belong to the entries that were known."""
        return pa.ListArray.from_arrays(pa.array(self.offsets), pa.array(self.items if values is None else values))


@dataclass
class ItemCoder:
    """Looks up item ids; `code_items` must have run."""

    log: RawLog
    ids: pa.Array = field(init=False)
    codes: np.ndarray = field(init=False)
    unknown: dict[str, Counter[str]] = field(default_factory=dict)
    entries: dict[str, list[int]] = field(default_factory=dict)  # kind of list -> entries met, entries known

    def __post_init__(self) -> None:
        table = self.log.table("SELECT item_id, item FROM item_codes")
        self.ids = table["item_id"].combine_chunks()
        self.codes = table["item"].to_numpy()

    def look_up(self, lists: pa.Array) -> CodedLists:
        """Codes of lists of ids, list<string>. Touches no database: threads may call it."""
        values = lists.flatten()
        found = pc.index_in(values, value_set=self.ids)
        kept = pc.is_valid(found).to_numpy(zero_copy_only=False)
        bounds = ragged.from_lengths(pc.fill_null(pc.list_value_length(lists), 0).to_numpy())
        codes = self.codes[found.drop_null().to_numpy()].astype(np.int32)
        return CodedLists(ragged.filtered(bounds, kept).astype(np.int32), codes, kept, values.filter(pa.array(~kept)))

    def count(self, coded: CodedLists, kind: str) -> None:
        """Add up what was met and what was unknown; `kind` is what entries are called in `quality.json`."""
        met = self.entries.setdefault(kind, [0, 0])
        met[0] += len(coded.kept)
        met[1] += len(coded.items)
        for entry in pc.value_counts(coded.unknown).to_pylist():
            self.unknown.setdefault(kind, Counter())[entry["values"] or ""] += entry["counts"]

    def report(self) -> None:
        """Count what was unknown, once all is read."""
        for kind, (met, known) in self.entries.items():
            often = sorted(self.unknown.get(kind, Counter()).items(), key=lambda pair: (-pair[1], pair[0]))[:EXAMPLES]
            examples = [f"{item} ({places})" for item, places in often]
            self.log.quality.count(f"unresolved {kind}", met, known, _UNRESOLVED, examples)


def add_impressions(
    coder: ItemCoder,
    rows: pa.Table,
    shown: CodedLists,
    clicked: np.ndarray,
    amounts: np.ndarray | None,
    history: CodedLists | None,
    split: str,
) -> None:
    """Append to `impressions` and `clicks`; impressions without a known candidate are left out and counted.

    Args:
        rows: impression_id, user_id string; time timestamp; ord int64.
        clicked: uint8 [entries of shown].
        amounts: float64 [entries of shown], what a click measured (seconds), NaN for none; or None.
        history: where impressions state it; it lies in `staged_history` until `settle_histories`.
    """
    log, coded = coder.log, shown
    coder.count(shown, "candidates")
    clicked = clicked[coded.kept]
    counts = np.diff(coded.offsets)
    order = rows["ord"].to_numpy()
    owner = ragged.owner(coded.offsets)
    where = np.flatnonzero(clicked)
    clicks = {
        "ord": order[owner[where]],
        "item": coded.items[where],
        "place": (where - coded.offsets[owner[where]]).astype(np.int32),
        "amount": np.full(len(where), np.nan) if amounts is None else amounts[coded.kept][where],
    }
    log.insert("clicks", pa.table(clicks), "ord, item, place, CASE WHEN isnan(amount) THEN NULL ELSE amount END")
    table = rows.append_column("shown", coded.lists()).append_column("labels", coded.lists(clicked))
    if history is not None:
        coder.count(history, "history entries")
        table = table.append_column("history", history.lists())
    left_out = order[counts == 0]
    log.leave_out(
        "impressions without candidates",
        len(counts),
        len(counts) - len(left_out),
        "no candidate is left",
        places=log.places(left_out[:EXAMPLES].tolist()),
    )
    table = table.filter(pa.array(counts > 0))
    log.rows_kept += table.num_rows
    log.insert("impressions", table, f"impression_id, user_id, time, '{split}', shown, labels, ord")
    if history is not None:
        log.insert("staged_history", table, "ord, user_id, history")


def stage_histories(log: RawLog) -> None:
    """Where histories that impressions state lie until all is read."""
    log.db.execute("CREATE OR REPLACE TABLE staged_history (ord BIGINT, user_id VARCHAR, history INTEGER[])")


def settle_histories(log: RawLog) -> None:
    """Give each distinct history of a user one row of `segments`, and say in `stated` who states it."""
    log.db.execute(
        "CREATE TEMP TABLE found_segments AS SELECT min(ord) AS segment, user_id, history, list(ord) AS orders "
        "FROM staged_history WHERE len(history) > 0 GROUP BY user_id, history;"
        "INSERT INTO segments SELECT segment, user_id, history, NULL, NULL FROM found_segments;"
        "INSERT INTO stated SELECT unnest(orders), segment FROM found_segments;"
        "DROP TABLE found_segments; DROP TABLE staged_history"
    )


def count_one_class(log: RawLog) -> None:
    """Impressions left with candidates of one class stay and are counted."""
    rows = log.rows("impressions")
    single = log.number("SELECT count(*) FROM impressions WHERE list_min(labels) = list_max(labels)")
    reason = f"candidates of one class only: kept, but left out of metrics and losses that need two: {single}"
    log.quality.count("one-class impressions", rows, rows, reason)
