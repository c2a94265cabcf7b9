"""Raw user ids are nowhere but in the raw log; users who are to be forgotten are in nothing that is built."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from interestrec.cli.app import app
from interestrec.config.loading import load_settings
from interestrec.formats.readers import READERS
from interestrec.io import encryption, files
from interestrec.io.pseudonyms import pseudonym
from interestrec.stages import preprocess
from interestrec.stages.run import RunContext
from tests.generated import write_mind

KEY = b"the key of these tests, 32 bytes and more"
CONFIG = """
version: 1
workspace: {root}/workspace
data:
  format: events
  root: {root}/raw
  max_bad_rows: 9
  events: {{files: [events.csv], columns: {{user: user, item: item, time: time, event: kind, value: value}}}}
  items: {{files: [items.csv], columns: {{item: id, title: [name], text: [about]}}}}
  users: {{files: [users.csv], columns: {{user: user}}, attributes: [town]}}
preprocess:
  pseudonym_key: {root}/key
  robots: {{a_minute: 20}}
  burst_seconds: 1
  split: {{method: user_time}}
encoders: {{text: {{source: {encoder}}}}}
"""
USERS = [f"RAWUSER-{number:06d}" for number in range(8)]
TOKEN = re.compile(rb"RAWUSER-\d")


def interestrec(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=typed)


@pytest.fixture
def shop(tmp_path: Path, tiny_encoder: Path) -> Path:
    """Two raw tables and one of users, dirty in every way that cleaning knows, a key and `shop.yaml`."""
    raw = tmp_path / "raw"
    raw.mkdir()
    rows = [f"{user},i{n % 5},{1000 + 977 * n},view,1" for user in USERS for n in range(12)]
    dirty = [
        rows[0],  # repeated
        f"{USERS[1]},nowhere,5,view,1",
        f"view,{USERS[1]},7,view,1",  # shifted
        f"{USERS[1]},i1,{USERS[2]},view,1",
        f"{USERS[1]},i1,9,view,{USERS[3]}",
        f"{USERS[1]},i1,view,1",
        f",i1,{USERS[1]},view,1",
        *(f"{USERS[7]},i{n % 5},{500_000 + n},view,1" for n in range(40)),  # a robot
    ]
    (raw / "events.csv").write_text("\n".join(["user,item,time,kind,value", *rows, *dirty]) + "\n")
    (raw / "items.csv").write_text("id,name,about\n" + "".join(f"i{n},dog {n},the sun\n" for n in range(5)))
    towns = [f"{user},{'old' if n % 2 else 'new'}" for n, user in enumerate(USERS[:6])]
    (raw / "users.csv").write_text("\n".join(["user,town", *towns, towns[0], "RAWUSER-999999,old", ",old"]) + "\n")
    (tmp_path / "key").write_bytes(KEY)
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "shop.yaml").write_text(CONFIG.format(root=tmp_path, encoder=tiny_encoder))
    return tmp_path


def build(shop: Path, *overrides: str) -> Path:
    return preprocess.run(RunContext(load_settings(shop / "shop.yaml", overrides))).artifact.path


def written(directory: Path) -> bytes:
    """All bytes of all files, and all values of all tables."""
    paths = [path for path in sorted(directory.rglob("*")) if path.is_file()]
    tables = [json.dumps(pq.read_table(p).to_pydict(), default=str) for p in paths if p.suffix == ".parquet"]
    return b"\n".join([*(p.read_bytes() for p in paths), *(table.encode() for table in tables)])


def said(outcome: Result) -> bytes:
    return (outcome.stdout + outcome.stderr).encode() + repr(outcome.exception).encode()


def test_without_a_key_the_raw_ids_are_there(shop: Path) -> None:
    """Else the other tests would look for what could not be found."""
    build(shop, "preprocess.pseudonym_key=null")
    assert len(set(re.findall(rb"RAWUSER-00000[0-6]", written(shop / "workspace")))) == 7


def test_no_raw_id_in_the_corpus_nor_on_screen(shop: Path, caplog: pytest.LogCaptureFixture) -> None:
    outcome = interestrec("preprocess", "--config", str(shop / "shop.yaml"), "--json")
    assert outcome.exit_code == 0, outcome.stderr
    assert not TOKEN.search(written(shop / "workspace"))
    assert not TOKEN.search(said(outcome) + caplog.text.encode())
    users = pq.read_table(shop / "workspace" / "corpus" / "users.parquet")
    assert set(users["user_id"].to_pylist()) == {pseudonym(KEY, user) for user in USERS[:7]}
    town = dict(zip(users["user_id"].to_pylist(), users["town"].to_pylist(), strict=True))
    assert town[pseudonym(KEY, USERS[1])] == "old"
    quality = json.loads((shop / "workspace" / "corpus" / "quality.json").read_text())["rules"]
    dropped = {rule["rule"]: rule["rows_in"] - rule["rows_out"] for rule in quality}
    assert {"bad rows", "unresolved events", "repeated events", "robots", "repeated users", "unknown users"} <= {
        name for name, count in dropped.items() if count
    }
    assert next(rule for rule in quality if rule["rule"] == "bad rows")["examples"]


def test_a_key_that_is_rotated_rebuilds_and_its_path_does_not(shop: Path) -> None:
    first = build(shop)
    assert str(shop / "key") not in (first / "manifest.json").read_text()
    (shop / "key").rename(shop / "moved")
    assert build(shop, f"preprocess.pseudonym_key={shop / 'moved'}") == first
    (shop / "moved").write_bytes(KEY + b"!")
    second = build(shop, f"preprocess.pseudonym_key={shop / 'moved'}")
    assert second != first
    one, other = (set(pq.read_table(path / "users.parquet")["user_id"].to_pylist()) for path in (first, second))
    assert not one & other


def header_lost(raw: Path) -> None:
    path = raw / "events.csv"
    path.write_text(path.read_text().split("\n", 1)[1])


def header_twice(raw: Path) -> None:
    (raw / "users.csv").write_text(f"{USERS[0]},{USERS[0]}\n{USERS[1]},old\n")


def typed_wrongly(raw: Path) -> None:
    table = pa.table({"user": [USERS[0]] * 3, "item": ["i1"] * 3, "time": [1, 2, 3], "kind": ["view"] * 3})
    pq.write_table(table.append_column("value", pa.array([[USERS[1]]] * 3)), raw / "events.parquet")


FAULTS: list[tuple[Callable[[Path], None] | None, list[str], int]] = [
    (None, ["data.max_bad_rows=0"], 65),
    (header_lost, [], 65),
    (header_twice, [], 65),
    (typed_wrongly, ["data.events.files=[events.parquet]"], 65),
    (None, ["data.events.columns.event=user", "preprocess.intensity.weights={view: 1.0}"], 78),
    (None, ["data.events.columns.event=user", "preprocess.intensity.negative={viewed: zero}"], 78),
    (None, ["data.events.columns.event=user", "data.events.event_types={view: view}"], 65),
    (None, ["data.events.columns.item=user"], 65),
    (None, ["data.events.columns.time=user"], 65),
    (None, ["preprocess.pseudonym_key=raw/users.csv"], 77),
]


@pytest.mark.parametrize("command", ["preprocess", "check"])
@pytest.mark.parametrize(("spoil", "overrides", "status"), FAULTS, ids=range(len(FAULTS)))
def test_no_error_tells_a_raw_id(
    shop: Path, spoil: Callable[[Path], None] | None, overrides: list[str], status: int, command: str
) -> None:
    if spoil is not None:
        spoil(shop / "raw")
    options = [part for override in overrides for part in ("--set", override)]
    outcome = interestrec(command, "--config", str(shop / "shop.yaml"), *options, "--json")
    assert outcome.exit_code == status or command == "check"
    assert json.loads(outcome.stdout)
    assert not TOKEN.search(said(outcome))
    assert not TOKEN.search(written(shop / "workspace"))


def test_a_fault_of_ours_keeps_its_traceback_without_what_it_says(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError(f"cannot make sense of {USERS[0]}")

    monkeypatch.setitem(READERS, "events", replace(READERS["events"], read=fail))
    outcome = interestrec("preprocess", "--config", str(shop / "shop.yaml"), "--json")
    assert outcome.exit_code == 70
    assert "in fail" in outcome.stderr
    assert "ValueError" in outcome.stderr
    assert not TOKEN.search(said(outcome))


def test_looking_takes_raw_ids_and_shows_pseudonyms(shop: Path) -> None:
    build(shop)
    config = ("--config", str(shop / "shop.yaml"))
    known = interestrec("inspect", "--user", USERS[0], *config, "--json")
    assert json.loads(known.stdout)["user"]["user_id"] == pseudonym(KEY, USERS[0])
    unknown = interestrec("inspect", "--user", "RAWUSER-77", *config)
    assert unknown.exit_code == 65
    item = interestrec("inspect", "--item", "i1", *config)
    told = interestrec("describe", *config)
    assert not TOKEN.search(b"".join(map(said, (known, unknown, item, told))))
    as_it_is = interestrec("inspect", "--user", pseudonym(KEY, USERS[0]), "--corpus", str(shop / "workspace/corpus"))
    assert as_it_is.exit_code == 0
    (shop / "key").write_bytes(KEY + b"!")
    other = interestrec("inspect", "--user", USERS[0], *config)
    assert (other.exit_code, "another key" in other.stderr) == (65, True)


def test_the_filter_tells_the_pseudonyms_of_a_list(shop: Path) -> None:
    outcome = interestrec("pseudonym", "--config", str(shop / "shop.yaml"), typed=f"{USERS[0]}\n\n{USERS[1]}\r\n")
    assert outcome.stdout == f"{pseudonym(KEY, USERS[0])}\n\n{pseudonym(KEY, USERS[1])}\n"
    without = ("--set", "preprocess.pseudonym_key=null")
    assert interestrec("pseudonym", "--config", str(shop / "shop.yaml"), *without, typed="u\n").exit_code == 78


def rows_by_user(corpus: Path) -> dict[str, list[dict]]:
    users, items = (pq.read_table(corpus / name).to_pylist() for name in ("users.parquet", "items.parquet"))
    found: dict[str, list[dict]] = {row["user_id"]: [row["town"], row["valid_part"]] for row in users}
    for row in pq.read_table(corpus / "timelines.parquet").to_pylist():
        name, item = users[row.pop("user")]["user_id"], items[row.pop("item")]["item_id"]
        found[name].append({**row, "item": item})
    return found


@pytest.mark.parametrize("key", ["", "null"])
def test_a_forgotten_user_is_gone_and_the_others_are_as_they_were(shop: Path, key: str) -> None:
    override = [f"preprocess.pseudonym_key={key}"] if key else []
    gone = USERS[1] if key else pseudonym(KEY, USERS[1])
    before = rows_by_user(build(shop, *override))
    config = ("--config", str(shop / "shop.yaml"))
    told = interestrec("forget", *config, "--user", USERS[1], "--json")
    assert (json.loads(told.stdout)["added"], json.loads(told.stdout)["users"]) == (1, 1)
    again = interestrec("forget", *config, "--users", "-", typed=f"{USERS[1]}\n\n")
    assert "0 users added, 1 in total" in again.stdout
    assert "prune" in again.stdout
    listed = shop / "workspace" / "forgotten.json"
    assert listed.stat().st_mode & 0o777 == 0o600
    assert not TOKEN.search(listed.read_bytes() + said(told) + said(again))
    corpus = build(shop, *override)
    after = rows_by_user(corpus)
    assert gone.encode() not in written(corpus)
    assert after == {name: rows for name, rows in before.items() if name != gone}
    rule = next(r for r in json.loads((corpus / "quality.json").read_text())["rules"] if r["rule"] == "forgotten")
    assert (rule["rows_in"] - rule["rows_out"], rule["examples"]) == (13, [])


def test_forgetting_says_whom(shop: Path) -> None:
    config = ("--config", str(shop / "shop.yaml"))
    assert interestrec("forget", *config).exit_code == 2
    assert interestrec("forget", *config, "--user", " ").exit_code == 2
    assert not (shop / "workspace" / "forgotten.json").exists()


PIPELINE = """
version: 1
seed: 5
workspace: {root}/workspace
data: {{format: mind, root: {root}/raw, news: [news.tsv], train: [train.tsv], valid: [valid.tsv], test: [test.tsv]}}
preprocess: {{pseudonym_key: {root}/key, split: {{method: given}}}}
encoders: {{text: {{source: {encoder}}}}}
pretrain_adapt: {{steps: 2, batch_size: 8, held_out: 0.2}}
finetune: {{epochs: 1, history_epochs: 1, batch_size: 16, trainable_layers: 1}}
rank: {{top_k: 20, trials: 1, systems: [interestrec, popularity], components: [intensity, trending]}}
evaluate: {{bootstrap: 20}}
runtime: {{encryption_key: {root}/at-rest}}
"""


@pytest.mark.slow
def test_five_stages_write_no_raw_id_and_with_encryption_no_id_or_title_at_all(
    tmp_path: Path, tiny_encoder: Path
) -> None:
    write_mind(tmp_path / "raw", users=40)
    for path in (tmp_path / "raw").iterdir():
        path.write_text(re.sub(r"\tU(\d+)\t", r"\tRAWUSER-\1\t", path.read_text()))
    for name in ("key", "at-rest"):
        (tmp_path / name).write_bytes(KEY + name.encode())
        (tmp_path / name).chmod(0o600)
    (tmp_path / "news.yaml").write_text(PIPELINE.format(root=tmp_path, encoder=tiny_encoder))
    config, workspace = ("--config", str(tmp_path / "news.yaml")), tmp_path / "workspace"
    outcome = interestrec("run", *config, "--json")
    assert outcome.exit_code == 0, outcome.stderr
    (tmp_path / "some.txt").write_text("RAWUSER-3\n")
    lists = interestrec("rank", *config, "--as-of", "2026-04-01", "--users", str(tmp_path / "some.txt"), "--json")
    assert lists.exit_code == 0, lists.stderr
    (tmp_path / "some.txt").write_text("RAWUSER-3\nRAWUSER-4000\n")
    unknown = interestrec("rank", *config, "--as-of", "2026-04-01", "--users", str(tmp_path / "some.txt"), "--json")
    assert unknown.exit_code == 65
    assert not TOKEN.search(b"".join(map(said, (outcome, lists, unknown))))
    # As files lie on the disk: not even a pseudonym or a title.
    names = [pseudonym(KEY + b"key", f"RAWUSER-{n}") for n in range(40)]
    titles = [line.split("\t")[3] for line in (tmp_path / "raw" / "news.tsv").read_text().splitlines()]
    files_of = [path for path in workspace.rglob("*") if path.is_file() and not path.is_symlink()]
    content = b"\n".join(path.read_bytes() for path in files_of)
    assert len([path for path in files_of if path.suffix == ".parquet"]) > 15
    for word in [*names, *titles, "RAWUSER-", "history_start", "title_tokens"]:
        assert word.encode() not in content, word
    # As they are when decrypted: pseudonyms, no raw id.
    with encryption.key_in_force(str(tmp_path / "at-rest")):
        tables = [files.read_parquet(path) for path in files_of if path.suffix == ".parquet"]
        asked = files.read_parquet(workspace / "lists" / "catalogue.parquet")["user_id"]
    values = "\n".join(json.dumps(table.to_pydict(), default=str) for table in tables)
    assert not TOKEN.search(values.encode())
    assert set(names) <= set(re.findall(r"[0-9a-f]{32}", values))
    assert set(asked.to_pylist()) == {names[3]}
    (tmp_path / "at-rest").write_bytes(KEY + b"another")
    assert interestrec("evaluate", *config, "--force", "--json").exit_code == 77
