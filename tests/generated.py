"""Small logs in the shape of real ones, in which every user has a favourite topic that item texts reveal."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

TOPICS = {
    "sports": "game team win season run".split(),
    "food": "recipe chicken soup cake".split(),
    "finance": "market stock price bank".split(),
    "weather": "storm snow rain city".split(),
}
FILLER = "the a of in on and new old big day night".split()
START = datetime(2026, 3, 1, tzinfo=UTC)


def titles(rng: np.random.Generator, items: int) -> list[tuple[str, str]]:
    """(topic, title) of each item; two words of a title tell its topic."""
    names = list(TOPICS)
    made = []
    for item in range(items):
        topic = names[item % len(names)]
        words = [*rng.choice(TOPICS[topic], 2), *rng.choice(FILLER, 3)]
        made.append((topic, " ".join(rng.permutation(words))))
    return made


def write_mind(directory: Path, users: int = 60, items: int = 80, seed: int = 0) -> None:
    """`news.tsv`, `train.tsv`, `valid.tsv` and `test.tsv` in MIND layout."""
    rng = np.random.default_rng(seed)
    directory.mkdir(parents=True, exist_ok=True)
    made = titles(rng, items)
    rows = [f"N{i}\t{topic}\t{topic}\t{title}\t\t\t[]\t[]" for i, (topic, title) in enumerate(made)]
    (directory / "news.tsv").write_text("\n".join(rows) + "\n")
    topics = np.array([topic for topic, _ in made])
    number = 0
    for name, day in {"train": 0, "valid": 3, "test": 4}.items():
        lines = []
        for user in range(users):
            favourite = list(TOPICS)[user % len(TOPICS)]
            liked, others = np.flatnonzero(topics == favourite), np.flatnonzero(topics != favourite)
            history = " ".join(f"N{i}" for i in np.random.default_rng(user).choice(liked, 4, replace=False))
            for _ in range(3 if name == "train" else 1):
                number += 1
                when = START + timedelta(days=day, minutes=int(rng.integers(1440)))
                shown = [f"N{i}-0" for i in rng.choice(others, 4, replace=False)] + [f"N{rng.choice(liked)}-1"]
                shown = " ".join(rng.permutation(shown))
                lines.append(f"{number}\tU{user}\t{when.strftime('%m/%d/%Y %I:%M:%S %p')}\t{history}\t{shown}")
        (directory / f"{name}.tsv").write_text("\n".join(lines) + "\n")


def write_shop(directory: Path, users: int = 80, items: int = 60, events: int = 14, seed: int = 0) -> None:
    """`events.csv` and `items.csv` as in the README's example; two of three events are of the favourite topic."""
    rng = np.random.default_rng(seed)
    directory.mkdir(parents=True, exist_ok=True)
    made = titles(rng, items)
    rows = [f'sku-{i},"{title}","{title} day",{topic}' for i, (topic, title) in enumerate(made)]
    (directory / "items.csv").write_text("\n".join(["item,name,description,department", *rows]) + "\n")
    topics = np.array([topic for topic, _ in made])
    lines = []
    for user in range(users):
        favourite = list(TOPICS)[user % len(TOPICS)]
        for _ in range(events):
            pool = np.flatnonzero(topics == favourite) if rng.random() < 0.7 else np.arange(items)
            when = START + timedelta(seconds=int(rng.integers(30 * 86400)))
            kind = "purchase" if rng.random() < 0.6 else "view"
            lines.append((when, f"u{user},sku-{rng.choice(pool)},{when.strftime('%Y-%m-%dT%H:%M:%SZ')},{kind}"))
    (directory / "events.csv").write_text(
        "\n".join(["user,item,time,kind", *(line for _, line in sorted(lines))]) + "\n"
    )
