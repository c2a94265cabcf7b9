"""MIND: `news.tsv` and `behaviors.tsv` (Wu et al. 2020, "MIND: A Large-scale Dataset for News Recommendation").

Tab-separated, without quoting. News: id, category, subcategory, title, abstract, url, title entities, abstract
entities. Behaviours: impression id, user, time, clicked history, shown candidates as `N1-0 N2-1`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from interestrec.columns.row_checks import RowCheck, leave_out
from interestrec.columns.time_notations import read_text
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
from interestrec.rawfiles.file_patterns import file_under
from interestrec.rawfiles.raw_log import COUNT, RawLog, sql_string
from interestrec.rawfiles.raw_tables import scan_fields
from interestrec.rawfiles.text_lines import nonempty_lines

_NEWS = ["id", "category", "subcategory", "title", "abstract", "url", "title_entities", "abstract_entities"]
_BEHAVIOR_COLUMNS = 5
_TIMES = [("%m/%d/%Y %I:%M:%S %p", 0), ("%Y-%m-%d %H:%M:%S", 0), ("%Y-%m-%dT%H:%M:%S", 0)]
_MARKS = (b"-0", b"-1")  # not an Arrow array: building one at import would load pandas


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

    def files_of_update(self, events: Path, items: Path | None) -> dict[str, Any]:
        """See DataSettings."""
        return {"train": [str(events)], "valid": [], "test": [], **({"news": [str(items)]} if items else {})}


def read(log: RawLog, data: MindData) -> None:
    """Fill `items`, `segments`, `impressions` and `clicks`.

    Raises:
        InputMissingError: a file is missing.
        DataError: more malformed rows than tolerated.
    """
    for name in data.news:
        _read_news(log, file_under(data.root, name))
    code_items(log)
    coder = ItemCoder(log)
    stage_histories(log)
    for split, names in {"train": data.train, "valid": data.valid, "test": data.test}.items():
        for name in names:
            _read_behaviors(coder, file_under(data.root, name), split)
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
    """Columns of the lines of a behaviours file that have five fields."""

    lines: pa.Table
    last_row: int  # number of the last line of the block
    row: pa.Array  # int64
    impression_id: pa.Array  # string
    user_id: pa.Array  # string
    time_text: pa.Array  # string
    tokens: pa.Array  # list<string>, candidates with their marks
    candidates: CodedLists
    is_valid: np.ndarray  # bool [tokens], whether a token is an id with a mark
    clicked: np.ndarray  # uint8 [tokens]
    history: CodedLists
    uneven_rows: pa.Array  # int64, lines with another number of fields
    uneven_counts: pa.Array  # int32, their numbers of fields


def _read_behaviors(coder: ItemCoder, path: Path, split: str) -> None:
    log = coder.log
    log.start_file(path)
    for block in prefetch(nonempty_lines(log, path), partial(_parse, coder)):
        if len(block.uneven_rows):
            log.load("uneven", pa.table({"_row": block.uneven_rows, "fields": block.uneven_counts}))
            log.refuse(
                "uneven", f"expected {_BEHAVIOR_COLUMNS} tab-separated columns, found {COUNT}", counts=["fields"]
            )
        times, reasons, values = _faults(log, block)
        if reasons.null_count < len(reasons):
            malformed = pc.is_valid(reasons)
            faults = pa.table({"row": block.row, "reason": reasons, "value": values}).filter(malformed)
            log.insert("bad_rows", faults, f"{sql_string(str(path))}, row, reason, value")
            valid = pc.invert(malformed)
            block, times = _parse(coder, block.lines.filter(valid)), times.filter(valid)
        orders = log.orders(block.row)
        rows = {"impression_id": block.impression_id, "user_id": block.user_id, "time": times, "ord": orders}
        add_impressions(coder, pa.table(rows), block.candidates, block.clicked, None, block.history, split)
        log.advance_to(block.last_row)


def _parse(coder: ItemCoder, lines: pa.Table) -> Behaviors:
    """Split a block of lines into columns. It does not use the database, so threads may parse several blocks."""
    all_lines = lines
    fields = pc.split_pattern(lines["line"].combine_chunks(), "\t")
    count = pc.list_value_length(fields)
    is_complete = pc.equal(count, _BEHAVIOR_COLUMNS)
    uneven = lines["row"].combine_chunks().filter(pc.invert(is_complete)), count.filter(pc.invert(is_complete))
    if len(uneven[0]):
        fields, lines = fields.filter(is_complete), lines.filter(is_complete)
    values = fields.flatten()
    impression_id, user_id, time_text, history, candidates = (
        values.take(pa.array(np.arange(n, len(values), _BEHAVIOR_COLUMNS))) for n in range(_BEHAVIOR_COLUMNS)
    )
    tokens = _words(candidates)
    flat = tokens.flatten()
    suffixes = pc.binary_slice(flat.cast(pa.large_binary()), -2)
    mark = pc.index_in(suffixes, value_set=pa.array(_MARKS, pa.large_binary()))
    is_valid = pc.and_(pc.is_valid(mark), pc.greater(pc.binary_length(flat), 2))
    ids = pa.LargeListArray.from_arrays(tokens.offsets, pc.utf8_slice_codeunits(flat, 0, -2))
    return Behaviors(
        lines=lines,
        last_row=pc.max(all_lines["row"]).as_py() or 0,
        row=lines["row"].combine_chunks(),
        impression_id=impression_id,
        user_id=user_id,
        time_text=pc.utf8_trim_whitespace(time_text),
        tokens=tokens,
        candidates=coder.look_up(ids),
        is_valid=is_valid.to_numpy(zero_copy_only=False),
        clicked=pc.fill_null(mark, 0).to_numpy().astype(np.uint8),
        history=coder.look_up(_words(history)),
        uneven_rows=uneven[0],
        uneven_counts=uneven[1],
    )


def _words(texts: pa.Array) -> pa.LargeListArray:
    """Split texts at spaces into lists of words; an empty text has no words."""
    trimmed = pc.utf8_trim(texts, " ")
    if pc.any(pc.match_substring(trimmed, "  ")).as_py():
        trimmed = pc.replace_substring_regex(trimmed, " +", " ")
    lists = pc.split_pattern(trimmed, " ")
    lengths = np.where(pc.equal(trimmed, "").to_numpy(zero_copy_only=False), 0, pc.list_value_length(lists).to_numpy())
    nonempty = lists.filter(pc.not_equal(trimmed, ""))
    return pa.LargeListArray.from_arrays(pa.array(ragged.from_lengths(lengths)), nonempty.flatten())


def _faults(log: RawLog, block: Behaviors) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Return the times, and per row its fault and the value at fault: strings, null where there is none."""
    log.load("time_texts", pa.table({"text": block.time_text}))
    times = log.table(f"SELECT {read_text('text', _TIMES)} AS time FROM time_texts")["time"].combine_chunks()
    tokens, offsets = block.tokens.flatten(), block.tokens.offsets.to_numpy()
    no_user = pc.equal(block.user_id, "").to_numpy(zero_copy_only=False)
    bad_time = pc.and_(pc.is_null(times), pc.not_equal(block.time_text, "")).to_numpy(zero_copy_only=False)
    no_candidates = np.diff(offsets) == 0
    bad_tokens: dict[int, str] = {}  # row -> its first token that is not valid
    for entry in np.flatnonzero(~block.is_valid):
        bad_tokens.setdefault(int(np.searchsorted(offsets, entry, side="right")) - 1, tokens[int(entry)].as_py())
    reasons: list[str | None] = [None] * len(times)
    values: list[str | None] = [None] * len(times)
    for row in sorted({*np.flatnonzero(no_user | bad_time | no_candidates).tolist(), *bad_tokens}):
        if no_user[row]:
            reasons[row] = "the user is empty"
        elif bad_time[row]:
            reasons[row] = f"the time '{VALUE}' is not like 11/12/2019 2:14:46 PM"
            values[row] = block.time_text[row].as_py()
        elif no_candidates[row]:
            reasons[row] = "no candidates"
        else:
            reasons[row], values[row] = f"the candidate '{VALUE}' is not an item id with -0 or -1", bad_tokens[row]
    return times, pa.array(reasons, pa.string()), pa.array(values, pa.string())


def _drop_repeated(log: RawLog) -> None:
    """Drop repetitions of rows that are equal in every column."""
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
