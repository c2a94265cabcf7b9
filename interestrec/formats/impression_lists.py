"""Impressions of a raw log: lists of item ids become lists of item codes, and unknown ids are counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from interestrec.core import ragged
from interestrec.core.deferred_import import np, pa, pc
from interestrec.rawfiles.quality_log import EXAMPLES
from interestrec.rawfiles.raw_log import RawLog

_CHUNK_ROWS = 100_000  # rows of impressions or histories processed at once
_UNRESOLVED = "the item has no row in the table of items"


@dataclass(frozen=True)
class CodedLists:
    """Lists of the entries whose item is known: list n is `items[offsets[n]:offsets[n + 1]]`."""

    offsets: np.ndarray  # int32 [lists + 1]
    items: np.ndarray  # int32 [known entries]
    is_known: np.ndarray  # bool [entries], whether the table of items has the id
    unknown: pa.Array  # string [unknown entries], their ids

    def lists(self, values: np.ndarray | pa.Array | None = None) -> pa.ListArray:
        """Return the lists as an Arrow array, of item codes or of other values per known entry."""
        return pa.ListArray.from_arrays(pa.array(self.offsets), pa.array(self.items if values is None else values))


@dataclass
class ItemCoder:
    """Looks up the codes of item ids and counts unknown ids; `code_items` must have run."""

    log: RawLog
    ids: pa.Array = field(init=False)
    codes: np.ndarray = field(init=False)
    unknown: dict[str, Counter[str]] = field(default_factory=dict)  # kind of list -> occurrences of each unknown id
    entries: dict[str, list[int]] = field(default_factory=dict)  # kind of list -> [entries, known entries]

    def __post_init__(self) -> None:
        table = self.log.table("SELECT item_id, item FROM item_codes")
        self.ids = table["item_id"].combine_chunks()
        self.codes = table["item"].to_numpy()

    def look_up(self, lists: pa.Array) -> CodedLists:
        """Return the codes of lists of ids, list<string>. It does not use the database, so threads may call it."""
        values = lists.flatten()
        position = pc.index_in(values, value_set=self.ids)
        is_known = pc.is_valid(position).to_numpy(zero_copy_only=False)
        offsets = ragged.from_lengths(pc.fill_null(pc.list_value_length(lists), 0).to_numpy())
        codes = self.codes[position.drop_null().to_numpy()].astype(np.int32)
        return CodedLists(
            ragged.filtered(offsets, is_known).astype(np.int32), codes, is_known, values.filter(pa.array(~is_known))
        )

    def count(self, coded: CodedLists, kind: str) -> None:
        """Add the entries of some lists to the counts; `kind` is the name of such entries in `quality.json`."""
        counts = self.entries.setdefault(kind, [0, 0])
        counts[0] += len(coded.is_known)
        counts[1] += len(coded.items)
        for entry in pc.value_counts(coded.unknown).to_pylist():
            self.unknown.setdefault(kind, Counter())[entry["values"] or ""] += entry["counts"]

    def report(self) -> None:
        """Record the counts of unknown ids in the quality log, once all files have been read."""
        for kind, (total, n_known) in self.entries.items():
            frequent = sorted(self.unknown.get(kind, Counter()).items(), key=lambda pair: (-pair[1], pair[0]))[
                :EXAMPLES
            ]
            examples = [f"{item} ({count})" for item, count in frequent]
            self.log.quality.count(f"unresolved {kind}", total, n_known, _UNRESOLVED, examples)


def add_impressions(
    coder: ItemCoder,
    rows: pa.Table,
    candidates: CodedLists,
    clicked: np.ndarray,
    amounts: np.ndarray | None,
    history: CodedLists | None,
    split: str,
) -> None:
    """Append rows to `impressions` and `clicks`; impressions without a known candidate are left out and counted.

    Args:
        rows: impression_id, user_id string; time timestamp; ord int64.
        candidates: the items shown.
        clicked: uint8 [entries of the candidates].
        amounts: float64 [entries of the candidates], the measured value of a click (seconds), NaN for none; or None.
        history: the logged histories, or None; `staged_history` holds them until `settle_histories`.
    """
    log, coded = coder.log, candidates
    coder.count(candidates, "candidates")
    clicked = clicked[coded.is_known]
    counts = np.diff(coded.offsets)
    order = rows["ord"].to_numpy()
    owner = ragged.owner(coded.offsets)
    positions = np.flatnonzero(clicked)
    clicks = {
        "ord": order[owner[positions]],
        "item": coded.items[positions],
        "place": (positions - coded.offsets[owner[positions]]).astype(np.int32),
        "amount": np.full(len(positions), np.nan) if amounts is None else amounts[coded.is_known][positions],
    }
    log.insert("clicks", pa.table(clicks), "ord, item, place, CASE WHEN isnan(amount) THEN NULL ELSE amount END")
    table = rows.append_column("shown", coded.lists()).append_column("labels", coded.lists(clicked))
    if history is not None:
        coder.count(history, "history entries")
        table = table.append_column("history", history.lists())
    without_candidates = order[counts == 0]
    log.leave_out(
        "impressions without candidates",
        len(counts),
        len(counts) - len(without_candidates),
        "no candidate is left",
        places=log.places(without_candidates[:EXAMPLES].tolist()),
    )
    table = table.filter(pa.array(counts > 0))
    log.rows_kept += table.num_rows
    log.insert("impressions", table, f"impression_id, user_id, time, '{split}', shown, labels, ord")
    if history is not None:
        log.insert("staged_history", table, "ord, user_id, history")


def stage_histories(log: RawLog) -> None:
    """Create the table that holds the logged histories of impressions until all files have been read."""
    log.db.execute("CREATE OR REPLACE TABLE staged_history (ord BIGINT, user_id VARCHAR, history INTEGER[])")


def settle_histories(log: RawLog) -> None:
    """Write one row of `segments` per distinct history of a user, and its impressions to `impression_segments`."""
    log.db.execute(
        "CREATE TEMP TABLE distinct_histories AS SELECT min(ord) AS segment, user_id, history, list(ord) AS orders "
        "FROM staged_history WHERE len(history) > 0 GROUP BY user_id, history;"
        "INSERT INTO segments SELECT segment, user_id, history, NULL, NULL FROM distinct_histories;"
        "INSERT INTO impression_segments SELECT unnest(orders), segment FROM distinct_histories;"
        "DROP TABLE distinct_histories; DROP TABLE staged_history"
    )


def count_one_class(log: RawLog) -> None:
    """Count the impressions whose candidates are all of one class; they are kept."""
    rows = log.rows("impressions")
    single = log.number("SELECT count(*) FROM impressions WHERE list_min(labels) = list_max(labels)")
    reason = f"candidates of one class only: kept, but left out of metrics and losses that need two: {single}"
    log.quality.count("one-class impressions", rows, rows, reason)


def parsed_chunks(log: RawLog, rows: str) -> Iterator[pa.Table]:
    """Yield the rows of a relation, which replaces the table `parsed`, in tables of at most `_CHUNK_ROWS` rows."""
    log.db.execute(f"CREATE OR REPLACE TEMP TABLE parsed AS {rows}")
    for start in range(0, log.rows("parsed"), _CHUNK_ROWS):
        yield log.table(f"SELECT * FROM parsed WHERE rowid >= {start} AND rowid < {start + _CHUNK_ROWS}")
