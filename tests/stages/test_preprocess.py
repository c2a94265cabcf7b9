"""preprocess: artifact, equal bytes, faults with their exit status, and what was there before stays whole."""

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interestrec.config.loading import load_settings
from interestrec.core.errors import ConfigError, DataError, InputMissingError, InterestrecError
from interestrec.corpus.figures import describe
from interestrec.corpus.lookup import find_user
from interestrec.corpus.store import NO_TIME, Corpus
from interestrec.io import files, schemas
from interestrec.report.describe_page import page
from interestrec.stages.preprocess import run
from interestrec.stages.run import RunContext, StageResult
from interestrec.text.tokenizer import load_tokenizer

CONFIG = """
version: 1
workspace: {directory}/workspace
data:
  format: events
  root: {directory}
  events: {{files: [events.csv], columns: {{user: user, item: item, time: time, event: kind}}}}
  items: {{files: [items.csv], columns: {{item: id, title: [name], text: [about]}}}}
preprocess:
  intensity: {{weights: {{view: 0.25, buy: 1.0}}}}
encoders: {{text: {{source: {encoder}}}}}
"""


@pytest.fixture
def shop(tmp_path: Path, tiny_encoder: Path) -> Path:
    """A directory with two raw tables and `shop.yaml`."""
    rows = [f"u{n % 4},i{n % 5},{1000 + n},{'buy' if n % 3 else 'view'}" for n in range(40)]
    (tmp_path / "events.csv").write_text("\n".join(["user,item,time,kind", *rows, rows[0], "u1,nowhere,5,view"]) + "\n")
    names = ["Old &amp; new", "<b>The</b> game", "dog", "cat", "house"]
    (tmp_path / "items.csv").write_text("id,name,about\n" + "".join(f"i{n},{t},the sun\n" for n, t in enumerate(names)))
    (tmp_path / "shop.yaml").write_text(CONFIG.format(directory=tmp_path, encoder=tiny_encoder))
    return tmp_path


def preprocess(directory: Path, *overrides: str, force: bool = False) -> StageResult:
    return run(RunContext(load_settings(directory / "shop.yaml", overrides), force))


def content(path: Path) -> dict[str, str]:
    return {
        str(p.relative_to(path)): files.sha256_of(p)
        for p in sorted(path.rglob("*"))
        if p.is_file() and p.name != "timing.jsonl"
    }


def test_an_older_version_that_is_asked_for_again_is_linked_not_built(shop: Path) -> None:
    first = preprocess(shop).artifact
    assert preprocess(shop, "seed=7").built
    again = preprocess(shop)
    assert (again.built, again.artifact) == (False, first)
    assert (shop / "workspace" / "corpus").resolve() == first.path


def test_the_artifact_has_every_file_of_its_schema(shop: Path, tiny_encoder: Path) -> None:
    result = preprocess(shop)
    assert result.built
    assert result.summary == {"items": 5, "users": 4, "events": 40, "impressions": 40, "findings": []}
    corpus = shop / "workspace" / "corpus"
    tokenizer = load_tokenizer(tiny_encoder)
    features = f"features/text-{tokenizer.digest[:16]}.parquet"
    for name, schema in {
        "items.parquet": schemas.ITEMS,
        "users.parquet": schemas.USERS,
        "timelines.parquet": schemas.TIMELINES,
        "impressions.parquet": schemas.IMPRESSIONS,
        "candidates.parquet": schemas.CANDIDATES,
        features: schemas.TEXT_FEATURES,
    }.items():
        assert pq.read_schema(corpus / name).equals(schema), name
    assert set(result.artifact.manifest["inputs"]) == {"tokenizer", "events.csv", "items.csv"}
    items = pq.read_table(corpus / "items.parquet").to_pylist()
    assert [item["title"] for item in items] == ["Old & new", "The game", "dog", "cat", "house"]
    tokens = pq.read_table(corpus / features)
    assert tokens["title_tokens"].to_pylist() == tokenizer.encode([item["title"] for item in items]).to_pylist()
    assert tokens["text_tokens"].to_pylist() == tokenizer.encode(["the sun"] * 5).to_pylist()


def test_the_reader_gives_back_what_was_written(shop: Path) -> None:
    preprocess(shop)
    corpus = Corpus(shop / "workspace" / "corpus", relevant_at=0.5)
    timelines, impressions = corpus.timelines, corpus.impressions
    assert timelines.offsets.tolist() == [0, 10, 20, 30, 40]
    assert timelines.time.min() == 1000 * 1_000_000 > NO_TIME
    assert set(timelines.intensity.tolist()) == {0.25, 1.0}
    assert (timelines.split[timelines.offsets[:-1]] == 0).all()
    for n in range(len(impressions.user)):
        start, end = impressions.history_start[n], impressions.history_end[n]
        assert (timelines.user[start:end] == impressions.user[n]).all()
        assert (timelines.time[start:end] < impressions.time[n]).all()
        assert impressions.offsets[n + 1] - impressions.offsets[n] == 1
    assert corpus.relevant(impressions.label).tolist() == (impressions.label == 1).tolist()


def test_quality_counts_every_rule_and_says_so_on_screen(shop: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "interestrec"):
        preprocess(shop)
    quality = json.loads((shop / "workspace" / "corpus" / "quality.json").read_text())
    rules = {rule["rule"]: rule for rule in quality["rules"]}
    assert (rules["repeated events"]["rows_in"], rules["repeated events"]["rows_out"]) == (41, 40)
    assert (rules["unresolved events"]["rows_in"], rules["unresolved events"]["rows_out"]) == (42, 41)
    assert rules["unresolved events"]["examples"] == ["u1 nowhere"]
    assert quality["counts"]["events"] == {"train": 28, "valid": 4, "test": 8}
    assert quality["counts"]["items_without_text"] == 0
    assert "repeated events: 1 of 41 left out" in caplog.text
    assert "unresolved events: 1 of 42 left out" in caplog.text
    assert "bad rows" not in caplog.text


def test_equal_input_is_equal_bytes_wherever_it_lies(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with (shop / "events.csv").open("a") as file:
        file.write("u1,i1,yesterday,view\n")
    first = preprocess(shop, "data.max_bad_rows=1")
    moved = tmp_path_factory.mktemp("elsewhere")
    for name in ("events.csv", "items.csv"):
        shutil.copy(shop / name, moved / name)
    second = preprocess(shop, "data.max_bad_rows=1", f"data.root={moved}", f"workspace={moved}/workspace")
    assert second.built
    assert content(second.artifact.path) == content(first.artifact.path)
    assert not preprocess(shop, "data.max_bad_rows=1").built


def test_splitting_a_file_in_two_changes_no_table(shop: Path) -> None:
    first = preprocess(shop)
    header, *rows = (shop / "events.csv").read_text().splitlines()
    for name, part in {"one.csv": rows[:17], "two.csv": rows[17:]}.items():
        (shop / name).write_text("\n".join([header, *part]) + "\n")
    second = preprocess(shop, "data.events.files=[one.csv, two.csv]")
    assert second.built
    one, other = content(first.artifact.path), content(second.artifact.path)
    assert {n: d for n, d in one.items() if n.endswith(".parquet")} == {
        n: d for n, d in other.items() if n.endswith(".parquet")
    }


def test_patterns_stand_for_files_and_each_is_an_input(shop: Path) -> None:
    first = preprocess(shop)
    header, *rows = (shop / "events.csv").read_text().splitlines()
    for name, part in {"n=1": rows[:17], "n=2": rows[17:]}.items():
        (shop / name).mkdir()
        (shop / name / "part.csv").write_text("\n".join([header, *part]) + "\n")
    second = preprocess(shop, "data.events.files=['n=*/part.csv']")
    assert {n: d for n, d in content(first.artifact.path).items() if n.endswith(".parquet")} == {
        n: d for n, d in content(second.artifact.path).items() if n.endswith(".parquet")
    }
    assert set(second.artifact.manifest["inputs"]) == {"tokenizer", "n=1/part.csv", "n=2/part.csv", "items.csv"}


def test_absolute_names_are_read_too(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = shutil.copy(shop / "events.csv", tmp_path_factory.mktemp("elsewhere"))
    assert preprocess(shop, f"data.events.files=[{elsewhere}]").summary["events"] == 40


def test_without_a_split_all_is_train(shop: Path) -> None:
    result = preprocess(shop, "preprocess.split={method: none, verified: elsewhere}")
    corpus = Corpus(result.artifact.path, relevant_at=0.5)
    assert not corpus.timelines.split.any()
    assert not corpus.impressions.split.any()
    assert (corpus.timelines.time[:-1] < corpus.timelines.time[1:])[np.diff(corpus.timelines.user) == 0].all()
    assert len(corpus.timelines.user) == len(corpus.impressions.user) == 40
    found = describe(corpus)
    assert found["events"] == {"train": 40, "valid": 0, "test": 0}
    assert "events" in page(found)
    assert find_user(corpus, "u1", 5)["events"] == {"train": 10, "valid": 0, "test": 0}


def test_users_come_with_their_attributes(shop: Path) -> None:
    (shop / "people.csv").write_text("id,sex,age\nu3,F,31\nu0,M,\nu3,M,32\nu9,F,40\n,F,50\n")
    users = "{files: [people.csv], columns: {user: id}, attributes: [sex, age]}"
    plain, result = preprocess(shop), preprocess(shop, f"data.users={users}")
    assert set(result.artifact.manifest["inputs"]) == {"tokenizer", "events.csv", "items.csv", "people.csv"}
    corpus = Corpus(result.artifact.path, relevant_at=0.5)
    assert corpus.user_attributes == ["sex", "age"]
    assert corpus.users.schema.equals(
        schemas.with_attributes(schemas.USERS, {"sex": pa.string(), "age": pa.float64()}), check_metadata=False
    )
    found = zip(*(corpus.users[name].to_pylist() for name in ("user_id", "sex", "age")), strict=True)
    assert list(found) == [("u0", "M", None), ("u1", None, None), ("u2", None, None), ("u3", "F", 31.0)]
    rules = {rule["rule"]: rule for rule in files.read_json(result.artifact.path / "quality.json")["rules"]}
    left_out = {name: rule["rows_in"] - rule["rows_out"] for name, rule in rules.items() if "users" in name}
    assert left_out == {"users without an id": 1, "repeated users": 1, "unknown users": 1, "users without a row": 0}
    before, after = content(plain.artifact.path), content(result.artifact.path)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"users.parquet", "quality.json", "manifest.json"}


def test_items_come_with_the_columns_that_are_kept(shop: Path) -> None:
    plain = preprocess(shop)
    lines = (shop / "items.csv").read_text().splitlines()
    extra = ["body,abv,grapes,emb", 'full,"12,5","[\'a\', \'b\']","[1, 2]"', 'light,"7,0",,"[3, 4.5]"', ',NA,"[]",']
    extra += ["&lt;b&gt;full&lt;/b&gt;,9,c,", ",,,"]
    wider = "\n".join(f"{line},{more}" for line, more in zip(lines, extra, strict=True)) + "\n"
    (shop / "items.csv").write_text(wider)
    result = preprocess(shop, "data.items.attributes=[body, abv, grapes, emb]")
    corpus = Corpus(result.artifact.path, None)
    assert corpus.item_attributes == ["body", "abv", "grapes", "emb"]
    lists = {"grapes": pa.list_(pa.string()), "emb": pa.list_(pa.float32())}
    kinds = {"body": pa.string(), "abv": pa.float64(), **lists}
    for name, kind in kinds.items():
        assert corpus.items.schema.field(name).type == kind, name
    assert pq.read_schema(result.artifact.path / "items.parquet").names[:8] == schemas.ITEMS.names
    found = corpus.items.select(["item_id", *kinds]).to_pylist()
    assert [tuple(row.values()) for row in found] == [
        ("i0", "full", 12.5, ["a", "b"], [1.0, 2.0]),
        ("i1", "light", 7.0, None, [3.0, 4.5]),
        ("i2", None, None, None, None),
        ("i3", "full", 9.0, ["c"], None),
        ("i4", None, None, None, None),
    ]
    counts = files.read_json(result.artifact.path / "quality.json")["counts"]
    assert counts["items_without_attribute"] == {"body": 2, "abv": 2, "grapes": 3, "emb": 3}
    before, after = content(plain.artifact.path), content(result.artifact.path)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"items.parquet", "quality.json", "manifest.json"}


def test_values_are_mapped_and_the_fit_is_told(shop: Path) -> None:
    header, *rows = (shop / "events.csv").read_text().splitlines()
    valued = "\n".join([header + ",stars", *(f"{row},{1 + n % 5}" for n, row in enumerate(rows))])
    (shop / "events.csv").write_text(valued + "\n")
    maps = "{view: {map: linear, low: 1, high: 5}, buy: {map: threshold, thresholds: [2, 4]}}"
    changes = ["data.relevant_at=0.5", "data.events.columns.value=stars", f"preprocess.intensity.values={maps}"]
    preprocess(shop, *changes, "preprocess.intensity.weights={view: 0.5, buy: 1.0}")
    corpus = shop / "workspace" / "corpus"
    assert json.loads((corpus / "quality.json").read_text())["value_maps"] == {
        "view": {"map": "linear", "low": 1.0, "high": 5.0},
        "buy": {"map": "threshold", "steps": [2.0, 4.0]},
    }
    for event in pq.read_table(corpus / "timelines.parquet").to_pylist():
        n = event["value"]
        assert event["intensity"] == ((n - 1) / 8 if event["event"] == "view" else [0, 0, 0.5, 0.5, 1, 1][int(n)])


def test_sentences_that_train_shares_are_taken_out_of_all_texts(shop: Path) -> None:
    texts = [f"Story {n}. Read the whole story!" for n in range(12)] + [
        "Read the whole story! Sold in test.",
        "Nobody reads this.",
    ]
    about = "".join(f"i{n},title,{text}\n" for n, text in enumerate(texts))
    (shop / "items.csv").write_text("id,name,about\n" + about)
    rows = [f"u{n % 4},i{n % 12},{1000 + n},view" for n in range(36)] + [f"u{n},i12,{2000 + n},view" for n in range(4)]
    (shop / "events.csv").write_text("\n".join(["user,item,time,kind", *rows]) + "\n")
    preprocess(shop, "preprocess.boilerplate=0.9")
    corpus = shop / "workspace" / "corpus"
    items = {row["item_id"]: row["text"] for row in pq.read_table(corpus / "items.parquet").to_pylist()}
    assert (items["i0"], items["i12"], items["i13"]) == ("Story 0.", "Sold in test.", "Nobody reads this.")
    rules = {rule["rule"]: rule for rule in json.loads((corpus / "quality.json").read_text())["rules"]}
    assert rules["boilerplate"]["examples"] == ["Read the whole story! (12)"]
    assert rules["boilerplate"]["reason"].startswith("13 texts lost sentences that more than 0.9")


def test_changed_data_is_another_version_and_the_first_stays(shop: Path) -> None:
    first = preprocess(shop)
    with (shop / "events.csv").open("a") as file:
        file.write("u1,i1,1003,buy\n")
    second = preprocess(shop)
    assert second.artifact.path != first.artifact.path
    assert first.artifact.path.is_dir()
    assert (shop / "workspace" / "corpus").resolve() == second.artifact.path


@pytest.mark.parametrize(
    ("change", "overrides", "kind", "status", "message"),
    [
        (None, ["data.events.files=[absent.csv]"], InputMissingError, 66, r"absent\.csv: no such file"),
        (None, ["data.events.columns.user=usr"], DataError, 65, r"events\.csv: has no column 'usr'"),
        ("u1,i1,1\n", [], DataError, 65, r"events\.csv:44: expected 4 columns, found 3"),
        ("u1,i1,then,view\n", [], DataError, 65, r"events\.csv:44: the time 'then'"),
        ("u1,i1,,view\n", [], DataError, 65, r"events\.csv:44: no time.*use user_random"),
        ("u1,i1,2000,like\n", [], ConfigError, 78, "no weight.*the type is 'like'"),
        (None, ["data.relevant_at=1", "preprocess.intensity.weights={view: 0.2, buy: 0.9}"], DataError, 65, "positive"),
        (None, ["preprocess.split={method: user_time, valid: 0.01}"], DataError, 65, "the valid split is empty"),
        (None, ["encoders.text.source=interestrec"], InputMissingError, 66, "no tokenizer here"),
    ],
)
def test_faults(
    shop: Path, change: str | None, overrides: list[str], kind: type[InterestrecError], status: int, message: str
) -> None:
    before = content(preprocess(shop).artifact.path)
    if change:
        with (shop / "events.csv").open("a") as file:
            file.write(change)
    linked = (shop / "workspace" / "corpus").resolve()
    with pytest.raises(kind, match=message) as error:
        preprocess(shop, *overrides)
    assert error.value.exit_status == status
    assert "\n" not in str(error.value)
    assert (shop / "workspace" / "corpus").resolve() == linked
    assert content(linked) == before
    assert [p.name for p in linked.parent.iterdir()] == [linked.name]


def test_items_without_text_are_flagged_up_to_a_limit(shop: Path) -> None:
    text = (shop / "items.csv").read_text()
    (shop / "items.csv").write_text(text.replace("dog,the sun", "<br>,"))
    with pytest.raises(DataError, match=r"1 of 5 items have no text, more than data\.max_items_without_text \(0\.05\)"):
        preprocess(shop)
    preprocess(shop, "data.max_items_without_text=0.2")
    items = pq.read_table(shop / "workspace" / "corpus" / "items.parquet")
    assert items["has_text"].to_pylist() == [True, True, False, True, True]
    quality = json.loads((shop / "workspace" / "corpus" / "quality.json").read_text())
    assert quality["counts"]["items_without_text"] == 1


def known_rows(corpus: Path) -> list[tuple]:
    """Train and valid events by string ids."""
    item = pq.read_table(corpus / "items.parquet")["item_id"].to_pylist()
    user = pq.read_table(corpus / "users.parquet")["user_id"].to_pylist()
    rows = pq.read_table(corpus / "timelines.parquet").to_pylist()
    return [
        (user[r["user"]], item[r["item"]], r["time"], r["event"], r["intensity"], r["split"], r["position"])
        for r in rows
        if r["split"] != "test"
    ]


def test_no_peeking(shop: Path) -> None:
    """Other users and items in the last fifth by time leave all that comes before as it is."""
    preprocess(shop)
    corpus = shop / "workspace" / "corpus"
    before, items = known_rows(corpus), pq.read_table(corpus / "items.parquet")
    header, *rows = (shop / "events.csv").read_text().splitlines()
    cells = [row.split(",") for row in rows]
    late = [n for n, row in enumerate(cells) if int(row[2]) >= 1032]
    assert len(late) == 8
    users, shown = [cells[n][0] for n in late[::-1]], [cells[n][1] for n in [*late[3:], *late[:3]]]
    for n, user, item in zip(late, users, shown, strict=True):
        cells[n][:2] = [user, item]
    (shop / "events.csv").write_text("\n".join([header, *(",".join(row) for row in cells)]) + "\n")
    assert preprocess(shop).built
    assert known_rows(corpus) == before
    assert pq.read_table(corpus / "items.parquet").equals(items)


def test_parquet_and_csv_give_the_same_corpus(shop: Path) -> None:
    first = preprocess(shop)
    header, *rows = (line.split(",") for line in (shop / "events.csv").read_text().splitlines())
    table = pa.table(dict(zip(header, map(list, zip(*rows, strict=True)), strict=True)))
    table = table.set_column(2, "time", table["time"].cast(pa.int64()))
    pq.write_table(table, shop / "events.parquet")
    second = preprocess(shop, "data.events.files=[events.parquet]")
    for name in ("items", "users", "timelines", "impressions", "candidates"):
        paths = [result.artifact.path / f"{name}.parquet" for result in (first, second)]
        assert files.sha256_of(paths[0]) == files.sha256_of(paths[1]), name
