"""scripts/generate.py: our formats read what it writes, a seed gives the same bytes, pandas makes the same corpus."""

import csv
import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from interestrec.config.loading import load_settings
from interestrec.io import files
from interestrec.stages.preprocess import run
from interestrec.stages.run import RunContext, StageResult

pytestmark = pytest.mark.slow

SCRIPTS = Path(__file__).parent.parent.parent / "scripts"
MIND = ["mind", "--impressions", "300", "--items", "120", "--users", "60"]
EVENTS = ["events", "--events", "2000", "--users", "50", "--items", "40"]
SOCIAL = ["social", "--users", "30", "--posts", "80"]
STREAM = ["stream", "--events", "6000", "--users", "40", "--items", "144"]

MIND_DATA = """
  format: mind
  news: [news.tsv]
  train: [behaviors_train.tsv]
  valid: [behaviors_valid.tsv]
  test: [behaviors_test.tsv]
preprocess: {split: {method: given}}
"""
EVENTS_DATA = """
  format: events
  relevant_at: 0.5
  events: {files: [events/part-000.parquet], columns: {user: user, item: item, time: time, event: kind, value: value}}
  items: {files: [items.parquet], columns: {item: item, title: [title], category: category, price: price}}
preprocess: {intensity: {weights: {view: 0.2, cart: 0.5, purchase: 1}}}
"""
SOCIAL_DATA = """
  format: events
  relevant_at: 0.5
  events: {files: [events.csv], columns: {user: user, item: item, time: time, event: kind, value: value}}
  items: {files: [posts.jsonl], columns: {item: post, title: [text], category: topic, published: published}}
preprocess: {intensity: {weights: {view: 0.3, like: 0.8, comment: 0.9, follow: 1, skip: 0, dislike: 0}}}
"""


@pytest.fixture
def generate(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The script's command line, called in this process."""
    monkeypatch.syspath_prepend(SCRIPTS)
    main = importlib.import_module("generate").main
    return lambda *words: main([str(word) for word in words])


def preprocess(directory: Path, data: str, encoder: Path) -> StageResult:
    config = directory / "config.yaml"
    workspace, encoders = f"workspace: {directory}/workspace", f"encoders: {{text: {{source: {encoder}}}}}"
    config.write_text(f"version: 1\n{workspace}\n{encoders}\ndata:\n  root: {directory}{data}")
    return run(RunContext(load_settings(config), force=False))


def bytes_of(directory: Path) -> dict[str, str]:
    paths = sorted(path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): files.sha256_of(path) for path in paths}


def test_a_seed_gives_the_same_files_and_another_seed_others(tmp_path: Path, generate: Callable[..., None]) -> None:
    for shape in (MIND, EVENTS, SOCIAL, STREAM):
        first, again, other = (tmp_path / f"{shape[0]}-{name}" for name in ("first", "again", "other"))
        generate(*shape, "--to", first)
        generate(*shape, "--to", again)
        generate(*shape, "--to", other, "--seed", 1)
        assert bytes_of(first) == bytes_of(again)
        assert not set(bytes_of(first).values()) & set(bytes_of(other).values())


def test_news_make_a_corpus_which_plain_pandas_makes_too(
    tmp_path: Path, tiny_encoder: Path, generate: Callable[..., None]
) -> None:
    generate(*MIND, "--to", tmp_path)
    result = preprocess(tmp_path, MIND_DATA, tiny_encoder)
    assert result.summary["impressions"] == 300
    corpus = result.artifact.path
    splits = pq.read_table(corpus / "impressions.parquet")["split"].to_pylist()
    assert [splits.count(name) for name in ("train", "valid", "test")] == [240, 30, 30]
    names = ["id", "user", "time", "history", "shown"]
    train = pd.read_csv(tmp_path / "behaviors_train.tsv", sep="\t", names=names, keep_default_na=False)
    shown = train["shown"].str.split(" ")
    assert shown.map(lambda ids: len(ids) == len({name[:-2] for name in ids})).all()
    assert shown.map(lambda ids: sum(name.endswith("-1") for name in ids)).isin([1, 2]).all()
    assert (train.groupby("user")["history"].nunique() == 1).all()

    options = ["--data", tmp_path, "--encoder", tiny_encoder, "--to", tmp_path / "pandas"]
    subprocess.run([sys.executable, SCRIPTS / "pandas_preprocess.py", *options], check=True)
    for name in ("items", "users", "timelines", "impressions", "candidates"):
        theirs = pd.read_parquet(tmp_path / "pandas" / f"{name}.parquet")
        ours = pd.read_parquet(corpus / f"{name}.parquet")[theirs.columns]
        pd.testing.assert_frame_equal(theirs, ours, check_dtype=False, check_categorical=False, obj=name)
    ours = pq.read_table(next((corpus / "features").glob("text-*.parquet")))
    assert pq.read_table(tmp_path / "pandas" / "tokens.parquet").to_pylist() == ours.to_pylist()


def test_shop_events_make_a_corpus(tmp_path: Path, tiny_encoder: Path, generate: Callable[..., None]) -> None:
    generate(*EVENTS, "--to", tmp_path)
    table = pq.read_table(tmp_path / "events" / "part-000.parquet")
    assert [str(kind) for kind in table.schema.types[:3]] == ["int64", "int64", "timestamp[us]"]
    assert table["time"].to_pylist() == sorted(table["time"].to_pylist())
    kinds = table["kind"].to_pylist()
    assert kinds.count("view") > 1700 > 300 > kinds.count("cart") > kinds.count("purchase") > 0
    summary = preprocess(tmp_path, EVENTS_DATA, tiny_encoder).summary
    assert summary["events"] == 2000 and summary["items"] == 40


def test_social_events_follow_the_users_topics(
    tmp_path: Path, tiny_encoder: Path, generate: Callable[..., None]
) -> None:
    generate(*SOCIAL, "--to", tmp_path)
    with (tmp_path / "events.csv").open() as source:
        events = list(csv.DictReader(source))
    posts = [json.loads(line) for line in (tmp_path / "posts.jsonl").read_text().splitlines()]
    assert list(posts[0]) == ["post", "author", "text", "topic", "language", "published"]
    assert {post["language"] for post in posts} == {"en", "es"}
    assert list(events[0]) == ["user", "item", "time", "kind", "value", "session"]
    assert {event["kind"] for event in events} == {"view", "like", "comment", "follow", "skip", "dislike"}
    assert all((event["value"] != "") == (event["kind"] == "view") for event in events)
    frame = pd.DataFrame(events).merge(pd.DataFrame(posts), left_on="item", right_on="post")
    assert (frame["published"] <= frame["time"]).all()
    liked = frame[frame["kind"] == "like"].groupby("user")["topic"].agg(lambda topics: topics.mode()[0])
    refused = frame[frame["kind"].isin(["skip", "dislike"])]
    assert (refused["topic"] == refused["user"].map(liked)).mean() < 0.1
    assert preprocess(tmp_path, SOCIAL_DATA, tiny_encoder).summary["items"] == 80


def likeness_within_topics(directory: Path, first: float, last: float) -> float:
    """How often two consecutive events of a user, in a span of shares of the log, are of items of one topic."""
    log = pd.read_parquet(directory / "events.parquet")
    assert log.time.is_monotonic_increasing
    log = log.iloc[int(first * len(log)) : int(last * len(log))].sort_values(["user", "time"], kind="stable")
    topic = log.item.str[1:].astype(int) % 12
    same_user = log.user.eq(log.user.shift())
    return float(topic.eq(topic.shift())[same_user].mean())


def test_a_stream_changes_at_once_and_a_shuffled_one_never(tmp_path: Path, generate: Callable[..., None]) -> None:
    generate(*STREAM, "--drift", "0", "--change", "70", "--to", tmp_path / "changed")
    generate(*STREAM, "--drift", "0", "--change", "70", "--shuffle", "1", "--to", tmp_path / "still")
    # Of two events, both are of the taste with 0.7², and else agree in one of 12 cases.
    assert likeness_within_topics(tmp_path / "changed", 0, 0.7) == pytest.approx(0.49 + 0.51 / 12, abs=0.03)
    # Then a taste has one item of each topic, and two events agree if they are of the same place in their groups.
    place = np.diff(np.linspace(0, 1, 13) ** (1 / 2.5))
    assert likeness_within_topics(tmp_path / "changed", 0.71, 1) == pytest.approx((place**2).sum(), abs=0.03)
    halves = [likeness_within_topics(tmp_path / "still", *span) for span in ((0, 0.5), (0.5, 1))]
    assert halves[0] == pytest.approx(halves[1], abs=0.08)


def test_a_drifting_stream_moves_tastes(tmp_path: Path, generate: Callable[..., None]) -> None:
    shares = {}
    for drift in ("0", "40"):
        generate(*STREAM, "--drift", drift, "--change", "0", "--to", tmp_path / drift)
        log = pd.read_parquet(tmp_path / drift / "events.parquet")
        topic = log.item.str[1:].astype(int) % 12
        first, last = (
            part.groupby(log.user).agg(lambda of_user: of_user.mode()[0])
            for part in (topic.iloc[:3000], topic.iloc[3000:])
        )
        shares[drift] = float((first == last).mean())
    assert shares["0"] > 0.95
    assert shares["40"] < 0.5
