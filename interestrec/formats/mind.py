"""MIND: `news.tsv` and `behaviors.tsv` (Wu et al. 2020, "MIND: A Large-scale Dataset for News Recommendation").

Tab-separated, without quoting. News: id, category, subcategory, title, abstract, url, title entities, abstract
entities. Behaviours: impression id, user, time, clicked history, shown candidates as `N1-0 N2-1`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import Field

from interestrec.core import ragged
from interestrec.core.deferred_import import np, pa, pc
from interestrec.core.errors import VALUE
from interestrec.core.prefetch import prefetch
from interestrec.formats.data_settings import DataSettings
from interestrec.formats.impression_lists import (
    CodedLists,
    ItemCoder,
    add_impressions,
    count_one_class,
    settle_histories,
    stage_histories,
)
from interestrec.formats.item_codes import code_items
from interestrec.formats.raw_log import COUNT, RawLog, quoted
from interestrec.formats.raw_tables import scan_fields
from interestrec.formats.row_filters import RowCheck, leave_out
from interestrec.formats.text_lines import filled_lines

_NEWS = ["id", "category", "subcategory", "title", "abstract", "url", "title_entities", "abstract_entities"]
_BEHAVIOR_COLUMNS = 5
_TIMES = "['%m/%d/%Y %I:%M:%S %p', '%Y-%m-%d %H:%M:%S', '%Y-%m-%dT%H:%M:%S']"
_MARKS = (b"-0", b"-1")  # an array of them, made here, would load pandas with every preprocess


class MindData(DataSettings):
    """Data in the layout of MIND: `news.tsv` files, and `behaviors.tsv` files per split."""

    format: Literal["mind"]
    """Layout of the raw files: `mind`, tab-separated news and behaviours."""
    news: list[str] = Field(min_length=1)
    """Names of the `news.tsv` files with id, category, subcategory, title and abstract of each news item."""
    train: list[str] = Field(min_length=1)
    """Names of the `behaviors.tsv` files of the train split: one line per impression, with history and candidates."""
    valid: list[str] = []
    """Names of the `behaviors.tsv` files of the valid split. Without any, `preprocess.split` takes valid from train: by
    `valid_from`, else a share."""
    test: list[str] = []
    """Names of the `behaviors.tsv` files of the test split. Without any the model can be trained, but nothing can be
    evaluated."""

    @property
    def names(self) -> list[str]:
        """Names and patterns of all raw files, relative to `root`."""
        return [*self.news, *self.train, *self.valid, *self.test]


def read(log: RawLog, data: MindData) -> None:
    """Fill `items`, `segments`, `impressions` and `clicks`.

    Raises:
        InputMissingError: a file is missing.
        DataError: more malformed rows than tolerated.
    """
    for name in data.news:
        _read_news(log, data.root / name)
    code_items(log)
    coder = ItemCoder(log)
    stage_histories(log)
    for split, names in {"train": data.train, "valid": data.valid, "test": data.test}.items():
        for name in names:
            _read_behaviors(coder, data.root / name, split)
    log.settle_bad_rows(data.max_bad_rows)
    coder.report()
    _drop_repeated(log)
    settle_histories(log)
    count_one_class(log)


def _read_news(log: RawLog, path: Path) -> None:
    fields = "tab-separated columns beginning with a news id"
    check = RowCheck("", "id = ''", f"expected {len(_NEWS)} {fields}, found {len(_NEWS)}")
    for _ in scan_fields(log, path, "\t", fields, _NEWS):
        log.add_items(
            leave_out(log, [check]),
            item_id="id",
            title="title",
            text="abstract",
            category="concat_ws('/', nullif(category, ''), nullif(subcategory, ''))",
        )


@dataclass(frozen=True)
class Behaviors:
    """Lines of a behaviours file in columns; only those with five fields."""

    lines: pa.Table
    last: int  # number of the last line of the block
    row: pa.Array  # int64
    name: pa.Array  # string
    user: pa.Array
    when: pa.Array
    entries: pa.Array  # list<string>, candidates with their marks
    shown: CodedLists
    fine: np.ndarray  # bool [entries], an id with a mark
    clicked: np.ndarray  # uint8 [entries]
    history: CodedLists
    short_rows: pa.Array  # int64, lines with another number of fields
    short_counts: pa.Array


def _read_behaviors(coder: ItemCoder, path: Path, split: str) -> None:
    log = coder.log
    base = log.begin(path)
    for found in prefetch(filled_lines(log, path), partial(_parse, coder)):
        if len(found.short_rows):
            log.load("short", pa.table({"_row": found.short_rows, "fields": found.short_counts}))
            log.refuse("short", f"expected {_BEHAVIOR_COLUMNS} tab-separated columns, found {COUNT}", counts=["fields"])
        times, reasons, values = _faults(log, found)
        if reasons.null_count < len(reasons):
            wrong = pc.is_valid(reasons)
            faults = pa.table({"row": found.row, "reason": reasons, "value": values}).filter(wrong)
            log.insert("bad_rows", faults, f"{quoted(str(path))}, row, reason, value")
            right = pc.invert(wrong)
            found, times = _parse(coder, found.lines.filter(right)), times.filter(right)
        table = {"impression_id": found.name, "user_id": found.user, "time": times, "ord": pc.add(found.row, base)}
        add_impressions(coder, pa.table(table), found.shown, found.clicked, None, found.history, split)
        log.reached(found.last)


def _parse(coder: ItemCoder, lines: pa.Table) -> Behaviors:
    """Columns of a block of lines; touches no database, so that threads can work on several blocks."""
    whole_lines = lines
    fields = pc.split_pattern(lines["line"].combine_chunks(), "\t")
    count = pc.list_value_length(fields)
    whole = pc.equal(count, _BEHAVIOR_COLUMNS)
    short = lines["row"].combine_chunks().filter(pc.invert(whole)), count.filter(pc.invert(whole))
    if len(short[0]):
        fields, lines = fields.filter(whole), lines.filter(whole)
    values = fields.flatten()
    name, user, when, history, shown = (
        values.take(pa.array(np.arange(n, len(values), _BEHAVIOR_COLUMNS))) for n in range(_BEHAVIOR_COLUMNS)
    )
    entries = _words(shown)
    tokens = entries.flatten()
    ends = pc.binary_slice(tokens.cast(pa.large_binary()), -2)
    mark = pc.index_in(ends, value_set=pa.array(_MARKS, pa.large_binary()))
    fine = pc.and_(pc.is_valid(mark), pc.greater(pc.binary_length(tokens), 2))
    ids = pa.LargeListArray.from_arrays(entries.offsets, pc.utf8_slice_codeunits(tokens, 0, -2))
    return Behaviors(
        lines=lines,
        last=pc.max(whole_lines["row"]).as_py() or 0,
        row=lines["row"].combine_chunks(),
        name=name,
        user=user,
        when=pc.utf8_trim_whitespace(when),
        entries=entries,
        shown=coder.look_up(ids),
        fine=fine.to_numpy(zero_copy_only=False),
        clicked=pc.fill_null(mark, 0).to_numpy().astype(np.uint8),
        history=coder.look_up(_words(history)),
        short_rows=short[0],
        short_counts=short[1],
    )


def _words(texts: pa.Array) -> pa.LargeListArray:
    """The words of texts that a space parts; none of an empty text."""
    trimmed = pc.utf8_trim(texts, " ")
    if pc.any(pc.match_substring(trimmed, "  ")).as_py():
        trimmed = pc.replace_substring_regex(trimmed, " +", " ")
    lists = pc.split_pattern(trimmed, " ")
    lengths = np.where(pc.equal(trimmed, "").to_numpy(zero_copy_only=False), 0, pc.list_value_length(lists).to_numpy())
    filled = lists.filter(pc.not_equal(trimmed, ""))
    return pa.LargeListArray.from_arrays(pa.array(ragged.from_lengths(lengths)), filled.flatten())


def _faults(log: RawLog, found: Behaviors) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Times, what is wrong with each row (null: nothing), and the value at fault (null: none), both string."""
    log.load("moments", pa.table({"written": found.when}))
    times = log.table(f"SELECT try_strptime(written, {_TIMES}) AS time FROM moments")["time"].combine_chunks()
    tokens, offsets = found.entries.flatten(), found.entries.offsets.to_numpy()
    nobody = pc.equal(found.user, "").to_numpy(zero_copy_only=False)
    timeless = pc.and_(pc.is_null(times), pc.not_equal(found.when, "")).to_numpy(zero_copy_only=False)
    nothing = np.diff(offsets) == 0
    odd: dict[int, str] = {}
    for entry in np.flatnonzero(~found.fine):
        odd.setdefault(int(np.searchsorted(offsets, entry, side="right")) - 1, tokens[int(entry)].as_py())
    reasons: list[str | None] = [None] * len(times)
    values: list[str | None] = [None] * len(times)
    for row in sorted({*np.flatnonzero(nobody | timeless | nothing).tolist(), *odd}):
        if nobody[row]:
            reasons[row] = "the user is empty"
        elif timeless[row]:
            reasons[row] = f"the time '{VALUE}' is not like 11/12/2019 2:14:46 PM"
            values[row] = found.when[row].as_py()
        elif nothing[row]:
            reasons[row] = "no candidates"
        else:
            reasons[row], values[row] = f"the candidate '{VALUE}' is not an item id with -0 or -1", odd[row]
    return times, pa.array(reasons, pa.string()), pa.array(values, pa.string())


def _drop_repeated(log: RawLog) -> None:
    """Rows equal in every column count once."""
    log.db.execute(
        "CREATE TEMP TABLE repeated AS SELECT unnest(list_sort(orders)[2:]) AS ord FROM (SELECT list(ord) AS orders "
        "FROM (FROM impressions SEMI JOIN (SELECT impression_id, split FROM impressions GROUP BY ALL "
        "HAVING count(*) > 1) USING (impression_id, split)) i JOIN staged_history h USING (ord) "
        "GROUP BY impression_id, i.user_id, time, split, history, shown, labels HAVING count(*) > 1)"
    )
    log.drop(
        "repeated impressions",
        "impressions",
        "ord IN (SELECT ord FROM repeated)",
        "rows that are equal in every column count once",
    )
    for table in ("clicks", "staged_history"):
        log.db.execute(f"DELETE FROM {table} WHERE ord IN (FROM repeated)")
    log.db.execute("DROP TABLE repeated")
