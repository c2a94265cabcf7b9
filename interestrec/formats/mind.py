"""MIND: `news.tsv` and `behaviors.tsv` (Wu et al. 2020, "MIND: A Large-scale Dataset for News Recommendation").

Tab-separated, without quoting. News: id, category, subcategory, title, abstract, url, title entities, abstract
entities. Behaviours: impression id, user, time, clicked history, shown candidates as `N1-0 N2-1`.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core.item_codes import code_items
from interestrec.core.raw_log import Log
from interestrec.formats.lines import filled_lines, quoted
from interestrec.formats.shown import Coder, add_impressions, count_one_class, settle_histories, stage_histories

_NEWS_COLUMNS = 8
_BEHAVIOR_COLUMNS = 5
_TIMES = "['%m/%d/%Y %I:%M:%S %p', '%Y-%m-%d %H:%M:%S', '%Y-%m-%dT%H:%M:%S']"
_CANDIDATE = r"^.+-[01]$"


def read(
    log: Log,
    root: Path,
    max_bad_rows: int,
    merge_items: bool,
    news: list[str],
    train: list[str],
    valid: list[str],
    test: list[str],
) -> None:
    """Fill `items`, `segments`, `impressions` and `clicks`.

    Raises:
        InputMissingError: a file is missing.
        DataError: more malformed rows than tolerated.
    """
    for name in news:
        _read_news(log, root / name)
    code_items(log, merge_items)
    coder = Coder(log)
    stage_histories(log)
    for split, names in {"train": train, "valid": valid, "test": test}.items():
        for name in names:
            _read_behaviors(coder, root / name, split)
    log.settle_bad_rows(max_bad_rows)
    coder.report()
    _drop_repeated(log)
    settle_histories(log)
    count_one_class(log)


def _read_news(log: Log, path: Path) -> None:
    base = log.begin(path)
    for lines in filled_lines(log, path):
        log.load("lines", lines)
        log.db.execute(
            "CREATE OR REPLACE TEMP TABLE fields AS SELECT row, string_split(line, chr(9)) AS f FROM lines;"
            f"INSERT INTO bad_rows SELECT {quoted(str(path))}, row, 'expected {_NEWS_COLUMNS} tab-separated columns "
            f"beginning with a news id, found ' || len(f) FROM fields WHERE len(f) <> {_NEWS_COLUMNS} OR f[1] = '';"
            "INSERT INTO items SELECT f[1], f[4], f[5], concat_ws('/', nullif(f[2], ''), nullif(f[3], '')), NULL, "
            f"NULL, row + {base}, NULL FROM fields WHERE len(f) = {_NEWS_COLUMNS} AND f[1] <> ''"
        )
        log.reached(base + (pc.max(lines["row"]).as_py() or 0))


def _read_behaviors(coder: Coder, path: Path, split: str) -> None:
    log = coder.log
    base = log.begin(path)
    for lines in filled_lines(log, path):
        log.reached(base + (pc.max(lines["row"]).as_py() or 0))
        rows = lines["row"].combine_chunks()
        fields = pc.split_pattern(lines["line"].combine_chunks(), "\t")
        count = pc.list_value_length(fields)
        whole = pc.equal(count, _BEHAVIOR_COLUMNS)
        if not pc.all(whole).as_py():
            reasons = pc.binary_join_element_wise(
                f"expected {_BEHAVIOR_COLUMNS} tab-separated columns, found ", count.cast(pa.string()), ""
            )
            _refuse(log, path, rows, reasons, pc.invert(whole))
            fields, rows = fields.filter(whole), rows.filter(whole)
        _add_behaviors(coder, path, split, rows, fields.flatten(), base)


def _add_behaviors(coder: Coder, path: Path, split: str, rows: pa.Array, values: pa.Array, base: int) -> None:
    """`values` are the fields of all rows, laid end to end."""
    log = coder.log
    columns = [values.take(pa.array(np.arange(n, len(values), _BEHAVIOR_COLUMNS))) for n in range(_BEHAVIOR_COLUMNS)]
    name, user, when, history, shown = columns
    candidates = _words(shown)
    tokens = candidates.flatten()
    times, wrong, reasons = _faults(log, user, when, candidates, tokens)
    if wrong is not None:
        _refuse(log, path, rows, reasons, wrong)
        right = pc.invert(wrong)
        rows, name, user, times, history = (a.filter(right) for a in (rows, name, user, times, history))
        candidates = candidates.filter(right)
        tokens = candidates.flatten()
    clicked = pc.equal(pc.binary_slice(tokens.cast(pa.large_binary()), -1), b"1")
    ids = pc.utf8_slice_codeunits(tokens, 0, -2)
    order = pc.add(rows, base)
    table = pa.table({"impression_id": name, "user_id": user, "time": times, "ord": order})
    shown_ids = pa.LargeListArray.from_arrays(candidates.offsets, ids)
    marks = clicked.to_numpy(zero_copy_only=False).astype(np.uint8)
    add_impressions(coder, table, shown_ids, marks, None, _words(history), split)


def _words(texts: pa.Array) -> pa.LargeListArray:
    """The words of texts that a space parts; none of an empty text."""
    trimmed = pc.utf8_trim(texts, " ")
    if pc.any(pc.match_substring(trimmed, "  ")).as_py():
        trimmed = pc.replace_substring_regex(trimmed, " +", " ")
    lists = pc.split_pattern(trimmed, " ")
    lengths = np.where(pc.equal(trimmed, "").to_numpy(zero_copy_only=False), 0, pc.list_value_length(lists).to_numpy())
    filled = lists.filter(pc.not_equal(trimmed, ""))
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return pa.LargeListArray.from_arrays(pa.array(offsets.astype(np.int64)), filled.flatten())


def _faults(
    log: Log, user: pa.Array, when: pa.Array, candidates: pa.Array, tokens: pa.Array
) -> tuple[pa.Array, pa.Array | None, pa.Array]:
    """Times; bool [rows] of malformed ones or None; and what is wrong with each row, null where nothing is."""
    log.db.register("moments", pa.table({"written": pc.utf8_trim_whitespace(when)}))
    times = log.table(f"SELECT try_strptime(written, {_TIMES}) AS time FROM moments")["time"].combine_chunks()
    log.db.unregister("moments")
    fine = pc.match_substring_regex(tokens, _CANDIDATE)
    nobody = pc.equal(user, "")
    timeless = pc.and_(pc.is_null(times), pc.not_equal(pc.utf8_trim_whitespace(when), ""))
    nothing = pc.equal(pc.list_value_length(candidates), 0)
    bad_entries = np.flatnonzero(~fine.to_numpy(zero_copy_only=False))
    owner = np.searchsorted(candidates.offsets.to_numpy(), bad_entries, side="right") - 1
    first_of = dict(zip(owner[::-1].tolist(), bad_entries[::-1].tolist(), strict=True))
    odd = np.zeros(len(user), bool)
    odd[list(first_of)] = True
    wrong = pc.or_(pc.or_(pc.or_(nobody, timeless), nothing), pa.array(odd))
    if not pc.any(wrong).as_py():
        return times, None, wrong
    reasons: list[str | None] = []
    for row, (no_user, no_time, none, at) in enumerate(zip(nobody, timeless, nothing, odd, strict=True)):
        reason = None
        if no_user.as_py():
            reason = "the user is empty"
        elif no_time.as_py():
            reason = f"the time '{when[row]}' is not like 11/12/2019 2:14:46 PM"
        elif none.as_py():
            reason = "no candidates"
        elif at:
            reason = f"the candidate '{tokens[first_of[row]]}' is not an item id with -0 or -1"
        reasons.append(reason)
    return times, wrong, pa.array(reasons, pa.string())


def _refuse(log: Log, path: Path, rows: pa.Array, reasons: pa.Array, wrong: pa.Array) -> None:
    table = pa.table({"row": rows, "reason": reasons}).filter(wrong)
    log.insert("bad_rows", table, f"{quoted(str(path))}, row, reason")


def _drop_repeated(log: Log) -> None:
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
