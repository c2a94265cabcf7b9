#!/usr/bin/env python3
"""`interestrec preprocess` of MIND files as a pandas script: the baseline of scripts/bench.py.

    scripts/pandas_preprocess.py --data DIR --encoder DIR --to DIR

The tables have the rows, numbers and columns of a corpus. The script omits what a toolkit adds: malformed rows,
manifest, digests, atomic writing. It assumes, as in the output of `scripts/generate.py mind`, that no user has two
histories that differ only in unknown ids.
"""

import argparse
import csv
import hashlib
from pathlib import Path

import pandas as pd
from tokenizers import Tokenizer

SPLITS = ["train", "valid", "test"]


def read_news(path: Path) -> pd.DataFrame:
    """Read item_id, title, text, category; one row per item."""
    names = ["item_id", "category", "subcategory", "title", "text", "url", "title_entities", "text_entities"]
    news = pd.read_csv(path, sep="\t", names=names, dtype=str, quoting=csv.QUOTE_NONE, keep_default_na=False)
    news["category"] = news["category"] + "/" + news["subcategory"]
    for column in ("title", "text"):
        news[column] = news[column].str.replace(r"<[^>]+>", " ", regex=True).str.replace(r"\s+", " ", regex=True)
        news[column] = news[column].str.strip()
    return news.drop_duplicates("item_id")[["item_id", "title", "text", "category"]]


def read_behaviors(data: Path) -> pd.DataFrame:
    """Read all impressions in the order of the files; `rank` is the position of the split, `ord` of the row."""
    names = ["impression_id", "user_id", "time", "history", "shown"]
    parts = []
    for rank, split in enumerate(SPLITS):
        path = data / f"behaviors_{split}.tsv"
        part = pd.read_csv(path, sep="\t", names=names, dtype=str, quoting=csv.QUOTE_NONE, keep_default_na=False)
        parts.append(part.drop_duplicates().assign(rank=rank))
    behaviors = pd.concat(parts, ignore_index=True)
    behaviors["time"] = pd.to_datetime(behaviors["time"], format="%m/%d/%Y %I:%M:%S %p", utc=True)
    return behaviors.assign(ord=range(len(behaviors)))


def read_candidates(behaviors: pd.DataFrame, known: pd.Series) -> pd.DataFrame:
    """One row per candidate that has a row in the news: the impression's columns, item_id, label, place."""
    shown = behaviors.drop(columns="history").assign(shown=behaviors["shown"].str.split(" ")).explode("shown")
    shown["place"] = shown.groupby("ord").cumcount()
    shown["label"] = shown["shown"].str[-1].astype("float32")
    shown["item_id"] = shown["shown"].str[:-2]
    return shown[shown["item_id"].isin(known)].drop(columns="shown")


def read_histories(behaviors: pd.DataFrame, known: pd.Series) -> pd.DataFrame:
    """One row per entry of each distinct history of a user; `segment` is the first impression with the history."""
    logged = behaviors[behaviors["history"] != ""]
    logged = logged.groupby(["user_id", "history"], as_index=False).agg(segment=("ord", "min"), rank=("rank", "min"))
    entries = logged.assign(item_id=logged["history"].str.split(" ")).explode("item_id")
    entries["place"] = entries.groupby("segment").cumcount()
    return entries[entries["item_id"].isin(known)]


def numbers(ids: pd.Series, known_before_test: pd.Series) -> pd.Series:
    """Map ids to numbers; ids known before the test split come first."""
    frame = pd.DataFrame({"id": ids, "late": ~ids.isin(known_before_test)}).sort_values(["late", "id"])
    return pd.Series(range(len(frame)), index=frame["id"], dtype="int32")


def make_timelines(shown: pd.DataFrame, entries: pd.DataFrame, user: pd.Series, item: pd.Series) -> pd.DataFrame:
    """Logged histories followed by the clicks of each user, with their positions."""
    clicks = shown[shown["label"] > 0].drop_duplicates(["user_id", "item_id", "time", "rank"])
    clicks = clicks.assign(event="click", stated=False, segment=0)
    rows = pd.concat([entries.assign(event="history", stated=True, ord=0), clicks], ignore_index=True)
    rows["user"], rows["item"] = rows["user_id"].map(user), rows["item_id"].map(item)
    order = ["user", "stated", "rank", "segment", "time", "ord", "place"]
    rows = rows.sort_values(order, ascending=[True, False, True, True, True, True, True])
    rows["position"] = rows.groupby("user").cumcount().astype("int32")
    return rows.assign(value=float("nan"), intensity=1.0, split=rows["rank"].map(dict(enumerate(SPLITS))))


def make_impressions(behaviors: pd.DataFrame, timelines: pd.DataFrame, user: pd.Series) -> pd.DataFrame:
    """Impressions by split, user and row, each with the range of its history in the user's timeline."""
    histories = timelines[timelines["stated"]].groupby(["user_id", "history"], as_index=False)
    bounds = histories.agg(history_start=("position", "min"), history_end=("position", "max"))
    bounds["history_end"] += 1
    rows = behaviors.merge(bounds, on=["user_id", "history"], how="left")
    for column in ("history_start", "history_end"):
        rows[column] = rows[column].fillna(0).astype("int32")
    rows["user"] = rows["user_id"].map(user)
    occurrence = rows.groupby(["rank", "impression_id"]).cumcount() + 1
    numbered = rows["impression_id"] + "#" + occurrence.astype(str)
    rows["impression_id"] = rows["impression_id"].where(occurrence == 1, numbered)
    rows = rows.sort_values(["rank", "user", "ord"], ignore_index=True)
    return rows.assign(impression=rows.index, split=rows["rank"].map(dict(enumerate(SPLITS))))


def tokenize(items: pd.DataFrame, encoder: Path) -> pd.DataFrame:
    """Tokenize texts: item, title_tokens, text_tokens."""
    tokenizer = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokens = items[["item"]].copy()
    for column in ("title", "text"):
        encoded = tokenizer.encode_batch(items[column].tolist(), add_special_tokens=False)
        tokens[f"{column}_tokens"] = [encoding.ids for encoding in encoded]
    return tokens


def preprocess(data: Path, encoder: Path, to: Path) -> None:
    """Read MIND files, make the tables and write them."""
    news, behaviors = read_news(data / "news.tsv"), read_behaviors(data)
    shown = read_candidates(behaviors, news["item_id"])
    behaviors = behaviors[behaviors["ord"].isin(shown["ord"])]
    entries = read_histories(behaviors, news["item_id"])
    early = pd.concat([frame.loc[frame["rank"] < 2, "item_id"] for frame in (shown, entries)]).drop_duplicates()
    item = numbers(news["item_id"], early)
    users = behaviors["user_id"].drop_duplicates()
    user = numbers(users, behaviors.loc[behaviors["rank"] < 2, "user_id"])
    timelines = make_timelines(shown, entries, user, item)
    impressions = make_impressions(behaviors, timelines, user)
    shown = shown.merge(impressions[["ord", "impression"]], on="ord").sort_values(["impression", "place"])
    shown["item"] = shown["item_id"].map(item)
    items = news.assign(item=news["item_id"].map(item), has_text=(news["title"] != "") | (news["text"] != ""))
    items = items.sort_values("item", ignore_index=True)
    people = user.rename_axis("user_id").reset_index(name="user")
    early_half = people["user_id"].map(lambda name: hashlib.md5(name.encode()).hexdigest() < "8")
    people["valid_part"] = early_half.map({True: "valid_select", False: "valid_blend"})
    columns = ["user", "item", "time", "event", "value", "intensity", "split", "position"]
    order = ["impression", "impression_id", "user", "time", "split", "history_start", "history_end"]
    to.mkdir(parents=True, exist_ok=True)
    for name, table in {
        "items": items[["item", "item_id", "title", "text", "category", "has_text"]],
        "users": people[["user", "user_id", "valid_part"]],
        "timelines": timelines[columns],
        "impressions": impressions[order],
        "candidates": shown[["impression", "item", "label"]],
        "tokens": tokenize(items, encoder),
    }.items():
        table.to_parquet(to / f"{name}.parquet", index=False)


def main() -> None:
    """Parse the command line and preprocess."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "encoder", "to"):
        parser.add_argument(f"--{name}", type=Path, required=True, metavar="DIR")
    arguments = parser.parse_args()
    preprocess(arguments.data, arguments.encoder, arguments.to)


if __name__ == "__main__":
    main()
