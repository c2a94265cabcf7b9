#!/usr/bin/env python3
"""Generate logs in the format of real ones, of any size and deterministic in the arguments.

    scripts/generate.py mind --to DIR --impressions 2200000 --items 160000 --users 700000
    scripts/generate.py events --to DIR --events 100000000 --users 2000000 --items 500000
    scripts/generate.py social --to DIR --users 500 --posts 2000
    scripts/generate.py stream --to DIR --users 1000 --events 40000 --drift 5 --change 70

`mind` has the size and layout of MIND-large, `events` is a shop's log in Parquet, `social` a small product with views,
likes and dislikes, `stream` a log whose tastes drift and change at once. Item texts depend on topics, every user has
favourite topics, and events follow these. Files are written in blocks; memory grows mainly with the histories of the
users of `mind`.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from generated_stream import write_stream
from generated_texts import FILLER, SPANISH, SPANISH_FILLER, TOPICS, join, texts

BLOCK = 50_000  # users, items or impressions per block
ROWS = 1_000_000  # events per block and row group
GROUPS = 10  # row groups per file
MISSING_EVERY = 500  # one in this number of news has no row in news.tsv, as in real samples
TOPIC_EFFECT = 3.0  # logit of a click added by a favourite topic
LOG_DAYS = 7
NEWS_DAYS = 40  # days of publication, of which the last are the days of the log
MIND_START = datetime(2019, 11, 9)
START = datetime(2026, 3, 1, tzinfo=UTC)
MICROSECONDS = 1_000_000


def blocks(total: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield (start, length) of consecutive blocks."""
    return ((start, min(size, total - start)) for start in range(0, total, size))


def numbered(prefix: str, numbers: np.ndarray) -> pa.Array:
    """Prepend the prefix to numbers, as `N7` for 7."""
    return pc.binary_join_element_wise(prefix, pa.array(numbers).cast(pa.string()), "")


def lines(*columns: pa.Array | str) -> memoryview:
    """Join columns to tab-separated lines as bytes."""
    joined = pc.binary_join_element_wise(*columns, "\t")
    ended = pc.binary_join_element_wise(joined, "", "\n")
    return memoryview(ended.buffers()[2])


def first_occurrence(owner: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Mark the first row of each item within its owner; bool."""
    order = np.argsort(owner * (item.max() + 1) + item, kind="stable")
    kept = np.ones(len(owner), bool)
    kept[order[1:][(np.diff(owner[order]) == 0) & (np.diff(item[order]) == 0)]] = False
    return kept


@dataclass(frozen=True)
class Press:
    """A catalogue in order of publication, with equally many items per day, popular ones first, and its readers."""

    days: int
    per_day: int
    names: pa.Array  # id of each item
    favourite: np.ndarray  # favourite topic of each user
    rng: np.random.Generator

    def topic(self, item: np.ndarray) -> np.ndarray:
        """Topic of each item as a position in TOPICS."""
        return (item % self.per_day + item // self.per_day) % len(TOPICS)

    def draw(self, user: np.ndarray, today: np.ndarray, freshness: float, favourite_share: float) -> np.ndarray:
        """Draw an item published until a day of the log for each user, newer ones more often, Zipf-like within a day.

        Args:
            freshness: share of items from today, share of the remaining items from yesterday, and so on.
            favourite_share: share of items that are moved to the user's favourite topic.
        """
        day = np.maximum(self.days - LOG_DAYS + today - self.rng.geometric(freshness, len(user)) + 1, 0)
        position = (self.per_day * self.rng.random(len(user)) ** 2.5).astype(np.int64)
        on_topic = position + (self.favourite[user] - position - day) % len(TOPICS)
        on_topic -= len(TOPICS) * (on_topic >= self.per_day)
        return day * self.per_day + np.where(self.rng.random(len(user)) < favourite_share, on_topic, position)


def write_mind(to: Path, impressions: int, items: int, users: int, seed: int) -> None:
    """Write `news.tsv` and `behaviors_{train,valid,test}.tsv` with 80, 10 and 10 percent of the impressions, by day."""
    if items < 2 * len(TOPICS):
        raise SystemExit(f"--items must be at least {2 * len(TOPICS)}")
    rng = np.random.default_rng(seed)
    days = min(NEWS_DAYS, items // (2 * len(TOPICS)))
    names = numbered("N", 1 + rng.permutation(items))
    press = Press(days, items // days, names, rng.integers(0, len(TOPICS), users), rng)
    _write_news(to / "news.tsv", press)
    histories, tenth, valid = _histories(press), impressions // 10, LOG_DAYS - 2
    splits = {"train": (impressions - 2 * tenth, 0, valid), "valid": (tenth, valid, valid + 1)}
    splits["test"] = (tenth, valid + 1, LOG_DAYS)
    for name, span in splits.items():
        _write_behaviors(to / f"behaviors_{name}.tsv", press, histories, *span)


def _write_news(path: Path, press: Press) -> None:
    topics = pa.array(list(TOPICS))
    subtopics = pa.array([f"{name}-{part}" for name in TOPICS for part in ("daily", "local", "opinion", "world")])
    with path.open("wb") as file:
        for start, count in blocks(len(press.names), BLOCK):
            item = np.arange(start, start + count)
            item = item[item % MISSING_EVERY != MISSING_EVERY // 2]
            topic, name = press.topic(item), press.names.take(pa.array(item))
            subtopic = subtopics.take(pa.array(topic * 4 + press.rng.integers(0, 4, len(item))))
            title, abstract = (texts(press.rng, topic, words, TOPICS, FILLER) for words in (10, 30))
            url = pc.binary_join_element_wise("https://news.example/", name, "")
            columns = (name, topics.take(pa.array(topic)), subtopic, pc.utf8_capitalize(title), abstract, url)
            file.write(lines(*columns, "[]", "[]"))


def _histories(press: Press) -> pa.Array:
    """History of each user before the log: about thirty ids, half of them of the favourite topic, or none."""
    parts, rng = [], press.rng
    for start, count in blocks(len(press.favourite), BLOCK):
        lengths = np.minimum(rng.geometric(1 / 34, count), 250) * (rng.random(count) > 0.03)
        user = np.repeat(np.arange(count), lengths)
        item = press.draw(start + user, np.full(len(user), -1), 0.1, 0.5)
        kept = first_occurrence(user, item)
        ids = press.names.take(pa.array(item[kept]))
        parts.append(join(ids, np.bincount(user[kept], minlength=count)).cast(pa.large_string()))
    return pa.concat_arrays(parts)


def _write_behaviors(path: Path, press: Press, histories: pa.Array, total: int, first: int, end: int) -> None:
    """Write `total` impressions from day `first` of the log to the day before `end`."""
    dates = pa.array([f"{(MIND_START + timedelta(days=day)):%m/%d/%Y} " for day in range(LOG_DAYS)])
    seconds = (MIND_START + timedelta(seconds=second) for second in range(86_400))
    clock = pa.array([f"{time.hour % 12 or 12}:{time:%M:%S %p}" for time in seconds])
    choices = pa.concat_arrays([pc.binary_join_element_wise(press.names, label, "-") for label in "01"])
    rng = press.rng
    with path.open("wb") as file:
        for start, count in blocks(total, BLOCK):
            user = (len(press.favourite) * rng.random(count) ** 1.5).astype(np.int64)
            day, second = rng.integers(first, end, count), rng.integers(0, len(clock), count)
            row, item = _candidates(press, user, day)
            choice = item + len(press.names) * _clicks(row, press.topic(item) == press.favourite[user[row]], rng)
            candidates = join(choices.take(pa.array(choice)), np.bincount(row, minlength=count))
            time = pc.binary_join_element_wise(dates.take(pa.array(day)), clock.take(pa.array(second)), "")
            history = histories.take(pa.array(user)).cast(pa.string())
            number = numbered("", np.arange(start + 1, start + count + 1))
            file.write(lines(number, numbered("U", user), time, history, candidates))


def _candidates(press: Press, user: np.ndarray, day: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draw (row, item) of all candidates: about 37 distinct ones per row."""
    row = np.repeat(np.arange(len(day)), np.minimum(2 + press.rng.geometric(1 / 36, len(day)), 300))
    item = press.draw(user[row], day[row], 0.3, 0.1)
    kept = first_occurrence(row, item)
    return row[kept], item[kept]


def _clicks(row: np.ndarray, on_topic: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one click per row, two in every fourth row, by a softmax (Gumbel's trick); bool."""
    score = rng.gumbel(size=len(row)) + TOPIC_EFFECT * on_topic
    starts = np.flatnonzero(np.diff(row, prepend=-1))
    lengths = np.diff(starts, append=len(row))
    first = score == np.repeat(np.maximum.reduceat(score, starts), lengths)
    score[first] = -np.inf
    second = score == np.repeat(np.maximum.reduceat(score, starts), lengths)
    return first | (second & np.repeat((rng.random(len(starts)) < 0.25) & (lengths > 2), lengths))


def write_events(to: Path, events: int, users: int, items: int, seed: int) -> None:
    """Write `events/part-*.parquet` in order of time and `items.parquet`; half of the events have a favourite topic."""
    rng = np.random.default_rng(seed)
    number = rng.permutation(items)  # item numbers by popularity
    _write_items(to / "items.parquet", items, rng)
    (to / "events").mkdir(exist_ok=True)
    kinds, span = pa.array(["view", "cart", "purchase"]), 60 * 86_400 * MICROSECONDS
    for part, (first, total) in enumerate(blocks(events, ROWS * GROUPS)):
        writer: pq.ParquetWriter | None = None
        for start, count in blocks(total, ROWS):
            user = (users * rng.random(count) ** 1.5).astype(np.int64)
            popular = number[(items * rng.random(count) ** 3).astype(np.int64)]
            on_topic = np.minimum(popular - popular % len(TOPICS) + user * 7919 % len(TOPICS), items - 1)
            item = np.where(rng.random(count) < 0.5, on_topic, popular)
            time = (first + start + np.arange(count) + rng.random(count)) * (span / events)
            stamp = pa.array(time.astype(np.int64) + int(START.timestamp()) * MICROSECONDS).cast(pa.timestamp("us"))
            kind = np.searchsorted([0.90, 0.97], rng.random(count), side="right").astype(np.int8)
            value = pa.array(rng.lognormal(3, 1, count).astype(np.float32))
            kind = pa.DictionaryArray.from_arrays(kind, kinds)
            table = pa.table({"user": user, "item": item, "time": stamp, "kind": kind, "value": value})
            writer = writer or pq.ParquetWriter(to / "events" / f"part-{part:03}.parquet", table.schema)
            writer.write_table(table)
        if writer is not None:
            writer.close()


def _write_items(path: Path, items: int, rng: np.random.Generator) -> None:
    """Write item, title, category as a path, and price, which is null in one of fifty rows."""
    paths = pa.array([f"{name}/{word}" for name, words in TOPICS.items() for word in words.split()])
    item = np.arange(items)
    topic = item % len(TOPICS)
    table = {
        "item": pa.array(item),
        "title": texts(rng, topic, 8, TOPICS, FILLER),
        "category": paths.take(pa.array(topic * 10 + rng.integers(0, 10, items))),
        "price": pa.array(rng.lognormal(3, 1, items).round(2), mask=rng.random(items) < 0.02),
    }
    pq.write_table(pa.table(table), path)


def write_social(to: Path, users: int, posts: int, seed: int) -> None:
    """Write `posts.jsonl` and `events.csv` of thirty days: every user likes two topics and skips or dislikes others."""
    rng = np.random.default_rng(seed)
    published = np.sort(rng.integers(-5 * 86_400, 30 * 86_400, posts))  # seconds from START
    topic = _write_posts(to / "posts.jsonl", published, users, rng)
    favourites = np.argsort(rng.random((users, len(SPANISH))), axis=1)[:, :2]
    owner = np.repeat(np.arange(users), rng.integers(4, 13, users))  # user of each session
    session_start = rng.integers(0, 30 * 86_400 - 3_600, len(owner))
    session = np.repeat(np.arange(len(owner)), rng.integers(6, 19, len(owner)))
    time = session_start[session] + rng.integers(0, 3_600, len(session))
    newest = np.searchsorted(published, time, side="right")
    post = np.maximum((newest * (1 - rng.random(len(time)) ** 2 / 2)).astype(np.int64) - 1, 0)
    on_topic = (topic[post][:, None] == favourites[owner[session]]).any(axis=1)
    viewed = rng.random(len(post)) < np.where(on_topic, 0.92, 0.45)
    dwell = np.where(viewed, rng.lognormal(np.where(on_topic, 3.2, 1.5), 0.7).round(1), np.nan)
    rows = [(np.arange(len(post)), 0, np.where(viewed, "view", "skip"), dwell)]
    reactions = {"like": (0.3, 0.03), "comment": (0.1, 0.01), "follow": (0.06, 0.005), "dislike": (0.005, 0.12)}
    for delay, (name, (on_topic_rate, off_topic_rate)) in enumerate(reactions.items(), 1):
        rate = np.where(on_topic, on_topic_rate, off_topic_rate)
        reacting = np.flatnonzero(viewed & (rng.random(len(post)) < rate))
        rows.append((reacting, delay, np.full(len(reacting), name), np.full(len(reacting), np.nan)))
    exposure, kind, value = (np.concatenate([row[n] for row in rows]) for n in (0, 2, 3))
    event_time = time[exposure] + np.repeat([row[1] for row in rows], [len(row[0]) for row in rows])
    order = np.lexsort((exposure, event_time))
    exposure, event_time = exposure[order], event_time[order]
    utc = pa.array(event_time + int(START.timestamp())).cast(pa.timestamp("s"))
    columns = {
        "user": numbered("u", owner[session[exposure]]),
        "item": numbered("p", post[exposure]),
        "time": pc.strftime(utc, format="%Y-%m-%dT%H:%M:%SZ"),
        "kind": pa.array(kind[order]),
        "value": pa.array(value[order], from_pandas=True),
        "session": numbered("s", session[exposure]),
    }
    with (to / "events.csv").open("wb") as file:
        file.write(",".join(columns).encode() + b"\n")
        pa.csv.write_csv(pa.table(columns), file, pa.csv.WriteOptions(include_header=False, quoting_style="none"))


def _write_posts(path: Path, published: np.ndarray, users: int, rng: np.random.Generator) -> np.ndarray:
    """Write one JSON object per line, every sixth in Spanish; return the topics as positions in SPANISH."""
    english = {name: TOPICS[name] for name in SPANISH}
    topic = rng.integers(0, len(SPANISH), len(published))
    vocabularies = (("en", english, FILLER), ("es", SPANISH, SPANISH_FILLER))
    versions = {code: texts(rng, topic, 15, words, filler).to_pylist() for code, words, filler in vocabularies}
    languages, authors = rng.choice(["en", "es"], len(topic), p=[5 / 6, 1 / 6]), rng.integers(0, users, len(topic))
    with path.open("w", encoding="utf-8") as file:
        for n, language in enumerate(languages.tolist()):
            post = {"post": f"p{n}", "author": f"u{authors[n]}", "text": versions[language][n]}
            post |= {"topic": list(SPANISH)[topic[n]], "language": language}
            post["published"] = f"{START + timedelta(seconds=int(published[n])):%Y-%m-%dT%H:%M:%SZ}"
            file.write(json.dumps(post, ensure_ascii=False) + "\n")
    return topic


# Subcommand -> its function, and its sizes with their defaults.
SHAPES: dict[str, tuple[Callable[..., None], dict[str, int]]] = {
    "mind": (write_mind, {"impressions": 2_200_000, "items": 160_000, "users": 700_000}),
    "events": (write_events, {"events": 100_000_000, "users": 2_000_000, "items": 500_000}),
    "social": (write_social, {"users": 500, "posts": 2_000}),
    "stream": (
        write_stream,
        {"events": 40_000, "users": 1_000, "items": 576, "days": 84, "drift": 5, "change": 70, "shuffle": 0},
    ),
}


def main(words: list[str] | None = None) -> None:
    """Parse the command line and write the log."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shapes = parser.add_subparsers(dest="shape", required=True)
    for name, (write, sizes) in SHAPES.items():
        shape = shapes.add_parser(name, help=write.__doc__)
        shape.add_argument("--to", type=Path, required=True, metavar="DIR", help="output directory")
        shape.add_argument("--seed", type=int, default=0)
        for size, default in sizes.items():
            shape.add_argument(f"--{size}", type=int, default=default, help=f"{default:,} by default")
    arguments = vars(parser.parse_args(words))
    arguments["to"].mkdir(parents=True, exist_ok=True)
    SHAPES[arguments.pop("shape")][0](**arguments)


if __name__ == "__main__":
    main()
