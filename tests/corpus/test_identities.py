"""Pseudonyms and forgetting in logs that record what was shown."""

from pathlib import Path

import pytest

from interestrec.core.errors import ArtifactError
from interestrec.corpus.identities import PSEUDONYMS, forget, pseudonymise, user_id_mapper
from interestrec.io.pseudonyms import fingerprint, pseudonym
from interestrec.rawfiles.raw_log import RawLog
from interestrec.workspace.forgotten import add_forgotten, read_forgotten
from tests.corpus.logs import built, by_name, impression_log, plan

KEY = b"k" * 32
SHOWN = [
    ("m1-u1", "u1", 1, "train", "a b", "c-1 d-0"),
    ("m2-u2", "u2", 2, "train", "b", "c-0 d-1"),
    ("m3-u1", "u1", 3, "valid", "a b", "a-1 d-0"),
    ("m4-u2", "u2", 4, "valid", "b", "b-0 c-1"),
    ("m5-u2", "u2", 5, "test", "b c", "a-1 d-0"),
    ("m6-u3", "u3", 6, "test", "", "a-1 d-0"),
]


def log_of(shown: list[tuple]) -> RawLog:
    return impression_log(shown, "abcd")


def forgotten(directory: Path, *users: str) -> RawLog:
    log = log_of(SHOWN)
    add_forgotten(directory, users)
    found = read_forgotten(directory)
    assert found is not None
    forget(log, found)
    return log


def test_a_log_without_a_user_is_what_is_left_when_the_user_is_forgotten(tmp_path: Path) -> None:
    for gone in ("u1", "u2", "u3"):
        left, other = forgotten(tmp_path / gone, gone), log_of([row for row in SHOWN if row[1] != gone])
        for table in ("clicks", "impression_segments", "segments", "impressions"):
            assert left.rows(table) == other.rows(table), table
        whole, alone = (built(log, plan(method="given")) for log in (left, other))
        assert by_name(whole) == by_name(alone)


def test_ids_of_impressions_that_repeat_stay_one_impression_each() -> None:
    rows = [
        (str(n % 2), f"u{n % 3}", n, split, "", "a-1 b-0") for n, split in enumerate(["train", "valid", "test"] * 2)
    ]
    log = log_of(rows)
    pseudonymise(log, KEY)
    found = log.sql("SELECT impression_id, user_id FROM impressions ORDER BY ord")
    assert found == [(pseudonym(KEY, name), pseudonym(KEY, user)) for name, user, *_ in rows]


def test_nobody_is_forgotten_by_another_list(tmp_path: Path) -> None:
    left = forgotten(tmp_path, "u7")
    assert by_name(built(left, plan(method="given"))) == by_name(built(log_of(SHOWN), plan(method="given")))
    other = read_forgotten(tmp_path)
    assert other is not None
    add_forgotten(tmp_path / "other", ["u7"])
    again = read_forgotten(tmp_path / "other")
    assert again is not None
    assert again.users != other.users  # the salt is random


def test_histories_and_impressions_follow_their_users_to_pseudonyms() -> None:
    log = log_of(SHOWN)
    pseudonymise(log, KEY)
    tables = built(log, plan(method="given"))
    plain = by_name(built(log_of(SHOWN), plan(method="given")))
    named = {pseudonym(KEY, user): user for user in ("u1", "u2", "u3")}
    found = by_name(tables)
    assert sorted((named[u], *rest) for u, *rest in found["impressions"]) == sorted(plain["impressions"])
    assert sorted(((named[u], *rest) for u, *rest in found["timeline"]), key=str) == sorted(plain["timeline"], key=str)
    names = tables.impressions["impression_id"].to_pylist()
    assert sorted(names) == sorted(pseudonym(KEY, row[0]) for row in SHOWN)


def test_ids_given_by_people_meet_the_corpus_only_under_its_key() -> None:
    assert user_id_mapper(None, {})("u1") == "u1"
    assert user_id_mapper(KEY, {PSEUDONYMS: fingerprint(KEY)})("u1") == pseudonym(KEY, "u1")
    for config in ({}, {PSEUDONYMS: fingerprint(b"l" * 32)}):
        with pytest.raises(ArtifactError, match=r"preprocess\.pseudonym_key"):
            user_id_mapper(KEY, config)
