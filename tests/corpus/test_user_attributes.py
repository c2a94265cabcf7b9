"""Attributes of users: their types, whose they are, and what is counted."""

from collections.abc import Sequence

import pyarrow as pa
import pytest

from interestrec.columns.table_settings import RESERVED
from interestrec.io import schemas
from interestrec.rawfiles.raw_log import RawLog
from tests.corpus.logs import Tables, built, event_log, plan, rule

EVENTS = [("b", "x", 1), ("a", "y", 2), ("a", "x", 3), ("b", "y", 4), ("new", "x", 5), ("c", "x", 2)]


def with_users(rows: Sequence[tuple[str, list[str | None]]], names: list[str]) -> tuple[RawLog, Tables]:
    log = event_log(EVENTS)
    log.user_attributes = names
    for order, (user, values) in enumerate(rows, 100):
        log.db.execute("INSERT INTO users VALUES (?, ?, ?)", [user, values, order])
    return log, built(log, plan())


def test_every_user_has_their_own_and_null_where_nothing_is_known() -> None:
    rows = [("new", ["F", "9"]), ("b", [None, "31"]), ("a", ["M", "2.5e1"]), ("nobody", ["M", "5"]), ("b", ["M", "7"])]
    log, tables = with_users(rows, ["Gender", "age"])
    users = tables.users.select(["user_id", "Gender", "age"]).to_pylist()
    assert [tuple(user.values()) for user in users] == [
        ("a", "M", 25.0),
        ("b", None, 31.0),
        ("c", None, None),
        ("new", "F", 9.0),
    ]
    kinds = {"Gender": pa.string(), "age": pa.float64()}
    assert tables.users.schema.equals(schemas.with_attributes(schemas.USERS, kinds))
    counts = {name: rule(log, name) for name in ("repeated users", "unknown users", "users without a row")}
    assert [(c["rows_in"], c["rows_out"], c["examples"]) for c in counts.values()] == [
        (5, 4, ["b"]),
        (4, 3, ["nobody"]),
        (4, 4, ["c"]),
    ]
    assert counts["users without a row"]["reason"].startswith("1 users have no row")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-2.5", ".5", "1e3", "0", "0.25", None], pa.float64()),
        (["1", "02139"], pa.string()),  # a zip code
        (["1", "nan"], pa.string()),
        (["1", "1e999"], pa.string()),
        (["1", "25-34"], pa.string()),
        ([None, None], pa.string()),
    ],
)
def test_a_number_is_what_is_one_in_every_row(values: list[str | None], kind: pa.DataType) -> None:
    # Of users that the log does not know: the type does not depend on who was active.
    _, tables = with_users([(f"stranger {n}", [value]) for n, value in enumerate(values)], ["it"])
    assert tables.users.schema.field("it").type == kind
    assert tables.users["it"].null_count == tables.users.num_rows


def test_without_a_table_of_users_nothing_is_counted() -> None:
    log = event_log(EVENTS)
    assert built(log, plan()).users.schema.equals(schemas.USERS)
    assert not [entry for entry in log.quality.rules if "users" in entry["rule"]]


def test_the_reserved_names_are_those_of_the_schema() -> None:
    assert list(RESERVED) == schemas.USERS.names
