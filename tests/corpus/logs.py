"""Small logs, filled in by hand."""

from interestrec.core.raw_log import Log
from interestrec.corpus.build import Plan


def event_log(events: list[tuple], items: list[str] | None = None) -> Log:
    """A log of (user, item, time or None, event, value) with items named after their ids."""
    log = Log()
    for item in items if items is not None else sorted({row[1] for row in events}):
        log.db.execute("INSERT INTO items SELECT ?, ?, '', NULL, NULL, NULL, count(*), NULL FROM items", [item, item])
    for number, (user, item, time, event, value) in enumerate(events):
        row = [user, item, time, event, value, number, number + 1]
        log.db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, NULL, ?, 'events.csv', ?)", row)
    return log


def mind_log(impressions: list[tuple], items: list[str]) -> Log:
    """A log of (user, time or None, split, history, shown, labels)."""
    log = event_log([], items)
    for number, (user, time, split, history, shown, labels) in enumerate(impressions):
        row = [str(number), user, time, split, history, shown, labels, number, number + 1]
        log.db.execute("INSERT INTO impressions VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'b.tsv', ?)", row)
        for item, label in zip(shown, labels, strict=True):
            if label:
                clicked = [user, item, time, split, number * 100, number + 1]
                log.db.execute("INSERT INTO events VALUES (?, ?, ?, 'click', NULL, ?, ?, 'b.tsv', ?)", clicked)
    return log


def plan(**changes: object) -> Plan:
    """Defaults: no grading, `global_time` with a fifth for valid and a fifth for test."""
    values: dict = {
        "relevant_at": None,
        "max_bad_rows": 0,
        "drop_duplicates": True,
        "weights": {},
        "limits": None,
        "method": "global_time",
        "valid": 0.2,
        "test": 0.2,
        "valid_from": None,
        "seed": 1,
    }
    return Plan(**{**values, **changes})
