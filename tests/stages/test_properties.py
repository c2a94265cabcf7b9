"""What must not matter to a corpus: the order of rows, how they are spread over files, and what users are called."""

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from interestrec.corpus.build import build
from interestrec.rawfiles.raw_log import RawLog
from interestrec.stages.preprocess import read
from tests.formats.inputs import settings_of

pytestmark = pytest.mark.slow

USERS, ITEMS = 4, 5
START = 1_500_000_000
# Examples are small as they are: shrinking them would take minutes.
few = settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)

Row = tuple[str, str, int, str]  # user, item, seconds, kind
Shown = tuple[str, str, str, tuple[str, ...], tuple[str, ...], int]  # id, user, time, history, shown, clicked place


@st.composite
def event_rows(draw: st.DrawFn) -> list[Row]:
    """Events at distinct times; the first three are not of the last user, so that train has several."""
    count = draw(st.integers(12, 24))
    times = draw(st.lists(st.integers(0, 10**6), min_size=count, max_size=count, unique=True))
    kinds = st.tuples(st.integers(0, USERS - 1), st.integers(0, ITEMS - 1), st.sampled_from(["view", "buy"]))
    return [(f"u{u}", f"i{i}", START + t, kind) for t in times for u, i, kind in [draw(kinds)]]


@st.composite
def shown_rows(draw: st.DrawFn) -> list[Shown]:
    """Impressions with distinct ids; histories repeat within a user, times need not be distinct."""
    rows = []
    for n in range(draw(st.integers(10, 16))):
        shown = draw(st.permutations([f"i{i}" for i in range(ITEMS)]))[: draw(st.integers(2, ITEMS))]
        history = draw(st.lists(st.sampled_from(["i0", "i1", "i9"]), max_size=2))
        time = f"11/{draw(st.integers(1, 28))}/2019 2:14:46 PM"
        user = f"u{draw(st.integers(0, USERS - 1))}"
        rows.append((str(n), user, time, tuple(history), tuple(shown), draw(st.integers(0, len(shown) - 1))))
    return rows


def events_corpus(parts: Sequence[Sequence[Row]], names: Sequence[str] | None = None) -> dict[str, Counter]:
    """The corpus of an event log in some files, which `names` may name more than once."""

    def write(raw: Path) -> dict[str, Any]:
        for n, rows in enumerate(parts):
            lines = ["user,item,time,kind", *(",".join(map(str, row)) for row in rows)]
            (raw / f"e{n}.csv").write_text("\n".join(lines) + "\n")
        (raw / "i.csv").write_text("id,name\n" + "".join(f"i{n},game {n}\n" for n in range(ITEMS)))
        columns = {"user": "user", "item": "item", "time": "time", "event": "kind"}
        return {
            "format": "events",
            "events": {"files": list(names or [f"e{n}.csv" for n in range(len(parts))]), "columns": columns},
            "items": {"files": ["i.csv"], "columns": {"item": "id", "title": ["name"]}},
        }

    return corpus(write, {"duplicates": "keep", "intensity": {"weights": {"view": 0.25, "buy": 1.0}}})


def mind_corpus(
    parts: Sequence[Sequence[Shown]], files: Sequence[str] | None = None, names: dict[str, str] | None = None
) -> dict[str, Counter]:
    """The corpus of a log in MIND layout whose train rows are in some files; `names` gives users other names."""

    def line(row: Shown) -> str:
        name, user, time, history, shown, clicked = row
        marks = " ".join(f"{item}-{int(n == clicked)}" for n, item in enumerate(shown))
        return f"{name}\t{names[user] if names else user}\t{time}\t{' '.join(history)}\t{marks}\n"

    def write(raw: Path) -> dict[str, Any]:
        for n, rows in enumerate(parts):
            (raw / f"t{n}.tsv").write_text("".join(line(row) for row in rows))
        late = "11/30/2019 2:14:46 PM"
        (raw / "test.tsv").write_text(line(("t", "u0", late, ("i1",), ("i0", "i2"), 1)))
        (raw / "valid.tsv").write_text(line(("v", "u1", late, (), ("i0", "i2"), 0)))
        (raw / "news.tsv").write_text("".join(f"i{n}\tsports\tgolf\tgame {n}\t\t\t[]\t[]\n" for n in range(ITEMS)))
        train = list(files or [f"t{n}.tsv" for n in range(len(parts))])
        return {"format": "mind", "news": ["news.tsv"], "train": train, "valid": ["valid.tsv"], "test": ["test.tsv"]}

    return corpus(write, {})


def corpus(write: Any, preprocess: dict[str, Any]) -> dict[str, Counter]:
    """Timelines and impressions, each with its history and candidates, by string ids and in no order."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "raw").mkdir()
        (directory / "built").mkdir()
        chosen = settings_of(directory, write(directory / "raw"), directory, preprocess)
        log = RawLog(chosen.data.root, threads=1)
        read(log, chosen)
        built = build(log, chosen.data, chosen.preprocess, chosen.seed, directory / "built")
        log.close()
        item = built.items["item_id"].to_pylist()
        tables = ("users", "timelines", "impressions", "candidates")
        return by_ids(item, *(pq.read_table(directory / "built" / f"{table}.parquet").to_pylist() for table in tables))


def by_ids(item: list[str], users: list, timelines: list, impressions: list, candidates: list) -> dict[str, Counter]:
    user = [row["user_id"] for row in users]
    events = Counter(
        (user[r["user"]], item[r["item"]], r["time"], r["event"], r["intensity"], r["split"]) for r in timelines
    )
    past: dict[int, list[str]] = {}
    for row in timelines:
        past.setdefault(row["user"], []).append(item[row["item"]])
    shown: dict[int, list[tuple]] = {}
    for row in candidates:
        shown.setdefault(row["impression"], []).append((item[row["item"]], row["label"]))
    requests = Counter(
        (
            *(user[r["user"]], r["time"], r["split"]),
            tuple(past.get(r["user"], [])[r["history_start"] : r["history_end"]]),
            tuple(shown[r["impression"]]),
        )
        for r in impressions
    )
    return {"events": events, "impressions": requests}


def renamed(found: dict[str, Counter], names: dict[str, str]) -> dict[str, Counter]:
    """The same corpus with other names of users."""
    return {
        table: Counter({(names[key[0]], *key[1:]): count for key, count in rows.items()})
        for table, rows in found.items()
    }


def bijection(order: Sequence[int]) -> dict[str, str]:
    return {f"u{n}": f"u{other}" for n, other in enumerate(order)}


@few
@given(rows=event_rows(), data=st.data())
def test_order_files_and_names_of_events_do_not_matter(rows: list[Row], data: st.DataObject) -> None:
    expected = events_corpus([rows])
    shuffled, cut = data.draw(st.permutations(rows)), data.draw(st.integers(0, len(rows)))
    assert events_corpus([shuffled[:cut], shuffled[cut:]]) == expected
    assert events_corpus([rows], ["e0.csv", "e0.csv", "e*.csv"]) == expected
    names = bijection(data.draw(st.permutations(range(USERS))))
    assert events_corpus([[(names[user], *rest) for user, *rest in rows]]) == renamed(expected, names)


@few
@given(rows=shown_rows(), data=st.data())
def test_order_files_and_names_of_impressions_do_not_matter(rows: list[Shown], data: st.DataObject) -> None:
    expected = mind_corpus([rows])
    shuffled, cut = data.draw(st.permutations(rows)), data.draw(st.integers(0, len(rows)))
    assert mind_corpus([shuffled[:cut], shuffled[cut:]]) == expected
    assert mind_corpus([rows], ["t0.tsv", "t0.tsv"]) == expected
    names = bijection(data.draw(st.permutations(range(USERS))))
    assert mind_corpus([rows], names=names) == renamed(expected, names)
