"""Answers are the lists of `rank --as-of`, whoever asks with which history."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from interestrec.answering.answer_service import AnswerService
from interestrec.answering.asked import Asked
from interestrec.answering.recommender import Recommendations
from interestrec.core.errors import ArtifactError, ConfigError, DataError
from interestrec.io import files
from interestrec.stages import rank
from interestrec.stages.recommend import open_answers
from interestrec.stages.run import RankRequest, RunContext
from tests.scoring.corpora import DAY
from tests.stages.ranking import N_ITEMS, N_USERS, log_of_events, stand_in_for_intensity, workspace

AS_OF = round(26 * DAY)


@pytest.fixture(autouse=True)
def intensity(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in_for_intensity(monkeypatch)


@pytest.fixture(params=[{}, {"exact": False, "candidates": 10}], ids=["all items", "candidates"])
def context(tmp_path: Path, request: pytest.FixtureRequest) -> RunContext:
    """Lists as of day 26 are made; a user without events and events of two kinds are in the log."""
    log = [event._replace(event="view" if event.item % 3 else "purchase") for event in log_of_events()]
    ready = dataclasses.replace(workspace(tmp_path, log, **request.param), rank_request=RankRequest(as_of=AS_OF))
    rank.run(ready)
    return ready


def service_of(
    context: RunContext, k: int = 10, exclude: tuple[str, ...] | None = None, *conditions: str
) -> AnswerService:
    return open_answers(context, k, exclude, conditions)


def rows_of(rows: Recommendations) -> list[tuple[int, int, float, float]]:
    return list(zip(rows.item.tolist(), rows.rank.tolist(), rows.score.tolist(), rows.intensity.tolist(), strict=True))


def test_lists_are_those_of_rank_byte_for_byte(context: RunContext, tmp_path: Path) -> None:
    table = pq.read_table(tmp_path / "lists" / "catalogue.parquet")
    service = service_of(context)
    (answer,) = service.lists_of_file(None)
    items = service.recommender.log.items["item_id"].to_pylist()
    assert [answer.names[row] for row in answer.rows.request] == table["user_id"].to_pylist()
    assert [items[row] for row in answer.rows.item] == table["item_id"].cast("string").to_pylist()
    np.testing.assert_array_equal(answer.rows.rank, table["rank"].to_numpy())
    np.testing.assert_array_equal(answer.rows.score, table["score"].to_numpy())
    np.testing.assert_array_equal(answer.rows.intensity, table["predicted"].to_numpy())
    for name, part in answer.rows.components.items():
        np.testing.assert_array_equal(part, table[name].to_numpy())
    for number in range(0, N_USERS, 7):  # and alone, not only together
        alone = service.lists_of_users([answer.names[number]])
        assert rows_of(alone.rows) == rows_of(answer.rows.rows(np.flatnonzero(answer.rows.request == number)))


def test_shorter_lists_are_their_beginnings(context: RunContext) -> None:
    ten, three = (service_of(context, k).lists_of_users(["u3"]).rows for k in (10, 3))
    assert rows_of(three) == rows_of(ten)[:3]
    assert len(service_of(context, 20).lists_of_users(["u3"]).rows.item) > 10  # longer than rank.top_k


def test_a_history_in_the_request_is_that_history_in_the_corpus(context: RunContext) -> None:
    service = service_of(context)
    log = service.recommender.log
    kinds = service.recommender.grades.kinds
    for user in (1, 4, 9):
        asked = service.recommender.ask_users(np.array([user]), AS_OF, 10)
        given = [
            f"i{item}:{kinds[kind]}@1970-01-{1 + time // DAY:02}T{_clock(time)}"
            for item, kind, time in zip(asked.requests.item, asked.kind, asked.requests.time.tolist(), strict=True)
        ]
        same = service.reader.histories.read(given, AS_OF, "x")
        np.testing.assert_array_equal(same.item, asked.requests.item)
        np.testing.assert_array_equal(same.time, asked.requests.time)
        request = Asked.of_given(
            np.array([user], np.int32),
            [dataclasses.replace(same, intensity=asked.requests.intensity)],  # grades of one kind differ here
            np.array([AS_OF]),
            10,
        )
        assert rows_of(service.recommender.recommend(request)) == rows_of(service.lists_of_users([f"u{user}"]).rows)
    assert log.users.num_rows == N_USERS


def _clock(time: int) -> str:
    seconds, micro = divmod(time % DAY, 1_000_000)
    return f"{seconds // 3600:02}:{seconds % 3600 // 60:02}:{seconds % 60:02}.{micro:06}"


def test_excluded_kinds_and_conditions_narrow_the_lists(context: RunContext) -> None:
    asked = service_of(context).recommender.ask_users(np.array([2]), AS_OF, 30)
    service = service_of(context, 30, ("purchase",))
    found = set(service.lists_of_users(["u2"]).rows.item.tolist())
    bought = {item for item in asked.requests.item.tolist() if item % 3 == 0}
    viewed = {item for item in asked.requests.item.tolist() if item % 3}
    assert bought
    assert found == set(range(N_ITEMS)) - bought
    assert viewed <= found
    assert service_of(context, 5, None, "item_id=i7").lists_of_users(["u2"]).rows.item.tolist() in ([7], [])


def test_items_users_and_pairs(context: RunContext, tmp_path: Path) -> None:
    service = service_of(context, 5)
    similar = service.similar("i3").rows
    assert 3 not in similar.item
    assert similar.score.tolist() == sorted(similar.score.tolist(), reverse=True)
    assert np.isnan(similar.intensity).all()
    lists = service_of(context, N_ITEMS)
    interested = service.interested("i3", None)
    whole = {name: lists.lists_of_users([name]).rows for name in interested.names}
    for name, place, score in zip(interested.names, interested.rows.rank, interested.rows.score, strict=True):
        (at,) = np.flatnonzero(whole[name].item == 3)
        assert whole[name].rank[at] == place
        np.testing.assert_allclose(whole[name].score[at], score, rtol=1e-12)  # pairs are scored in the exact way
    owners = {
        f"u{user}"
        for user in range(N_USERS)
        if 3 in service.recommender.ask_users(np.array([user]), AS_OF, 1).requests.item
    }
    assert not owners & set(interested.names)
    (tmp_path / "some.txt").write_text("u5\nu7\n")
    assert set(service.interested("i3", tmp_path / "some.txt").names) <= {"u5", "u7"}
    (tmp_path / "pairs.csv").write_text("user_id,item_id\nu5,i3\nu1,i2\nu5,i9\n")
    pairs = service.pairs(tmp_path / "pairs.csv")
    assert [pairs.names[row] for row in pairs.rows.request] == ["u5", "u1", "u5"]
    assert pairs.rows.item.tolist() == [3, 2, 9]
    u1 = lists.lists_of_users(["u1"]).rows
    held = dict(zip(u1.item.tolist(), u1.rank.tolist(), strict=True))
    assert pairs.rows.rank[1] == held.get(2, 0)


def test_requests_of_json_lines_are_answered_in_order_and_faults_are_told(context: RunContext) -> None:
    service = service_of(context, 2)
    lines = [
        b'{"user": "u1"}\n{"id": "me", "history": ["i3",',
        b' "i4"], "k": 3}\n\n{"user": "nobody"}\n{"history": ["i999"]}\nnot json\n{"id": "x"}\n',
        b'{"user": "u1", "exclude_kinds": ["view"], "filter": ["item_id!=i1"]}',
    ]
    found = [(files_json(text), answered) for text, answered in service.request_lines(lines, titles=False)]
    assert [answered for _, answered in found] == [True, True, False, False, False, False, True]
    assert [len(document["items"]) for document, answered in found if answered] == [2, 3, 2]
    assert found[1][0]["user_id"] == "me"
    errors = [document["error"] for document, answered in found if not answered]
    assert errors[0].startswith("line 4: no user 'nobody' in the decision")
    assert errors[1].startswith("line 5: the history of line 5: no item 'i999'")
    assert errors[2].startswith("line 6: Invalid JSON")
    assert errors[3] == "line 7: names neither `user` nor `history`"
    alone = service.lists_of_users(["u1"]).rows
    assert [item["score"] for item in found[0][0]["items"]] == [round(score, 6) for score in alone.score.tolist()]


def asked_lines(service: AnswerService, *requests: dict[str, object]) -> list[dict[str, Any]]:
    lines = "".join(f"{json.dumps(request)}\n" for request in requests).encode()
    return [json.loads(text) for text, _ in service.request_lines([lines], titles=False)]


def test_new_events_count_after_those_of_the_log(context: RunContext) -> None:
    service = service_of(context, 5)
    recommender = service.recommender
    known = recommender.ask_users(np.array([4]), AS_OF, 5)
    new = ["i20:view", "i21:purchase"]
    plain, grown, alone, unknown = asked_lines(
        service,
        {"user": "u4"},
        {"user": "u4", "new_events": new},
        {"user": "u4", "new_events": [*new, "i999:view"], "unknown": "report"},
        {"user": "u4", "new_events": ["i999:view"]},
    )
    assert grown["items"] != plain["items"]
    assert alone == {**grown, "unknown": {"user": [], "items": []}}  # whoever brings them may know more items
    assert "no item 'i999'" in unknown["error"]
    reader = service.reader.histories
    of_log = recommender.events_of_user(4, AS_OF)
    both = of_log.followed_by(reader.read(new, AS_OF, "x"))
    np.testing.assert_array_equal(both.item, [*known.requests.item, 20, 21])
    np.testing.assert_array_equal(both.kind[: len(known.kind)], known.kind)
    assert (np.diff(both.time) >= 0).all()
    assert both.time[-1] < AS_OF


def test_choices_of_one_request_leave_the_others_alone(context: RunContext) -> None:
    service = service_of(context, 6)
    users: list[dict[str, object]] = [{"user": f"u{number}"} for number in (3, 4, 5)]
    free = asked_lines(service, *users)
    first, second = (free[1]["items"][place]["item_id"] for place in (0, 1))
    asked = [users[0], {**users[1], "exclude": [first, "i999"]}, {**users[2], "candidates": ["i7", "i2"], "k": 6}]
    found = asked_lines(service, *asked)
    assert found[0] == free[0]
    assert found[1]["items"][0]["item_id"] == second
    scores = {item["item_id"]: item["score"] for item in free[1]["items"]}
    assert all(item["score"] == scores.get(item["item_id"], item["score"]) for item in found[1]["items"])
    assert {item["item_id"] for item in found[2]["items"]} <= {"i7", "i2"}
    refused, reported = asked_lines(
        service, {**users[0], "candidates": ["i2", "i999"]}, {"user": "x", "candidates": ["i999"], "unknown": "report"}
    )
    assert "no item 'i999'" in refused["error"]
    assert (reported["items"], reported["unknown"]) == ([], {"user": ["x"], "items": ["i999"]})


def test_requests_name_their_own_time_length_reasons_and_components(context: RunContext) -> None:
    service = service_of(context, 4)
    short, long, earlier, told = asked_lines(
        service,
        {"user": "u3"},
        {"user": "u3", "k": 20},  # longer than rank.top_k
        {"user": "u3", "time": "1970-01-11T00:00:00Z"},
        {"user": "u3", "why": True, "components": True},
    )
    assert len(short["items"]) == 4
    assert len(long["items"]) > 10
    assert long["items"][:4] == short["items"]
    as_of = dataclasses.replace(context, rank_request=RankRequest(as_of=10 * DAY))
    (expected,) = asked_lines(open_answers(as_of, 4, None, ()), {"user": "u3"})
    assert earlier["items"] == expected["items"]
    for item, plain in zip(told["items"], short["items"], strict=True):
        assert item.pop("why")
        assert item.pop("components").keys() == {"intensity", "item_item", "collaborative", "trending"}
        assert item == plain


def files_json(text: str) -> dict[str, Any]:
    return json.loads(text)


def test_somebody_new_gets_a_list(context: RunContext) -> None:
    service = service_of(context, 4)
    assert len(service.list_of_history([], None).rows.item) == 4
    taste = [service.list_of_history([f"i{item}"], None).rows.item.tolist() for item in (2, N_ITEMS - 1)]
    assert taste[0] != taste[1]  # the event tells something
    with pytest.raises(DataError, match="no user 'u999' in the decision"):
        service.lists_of_users(["u999"])


def test_a_decision_of_another_release_or_other_rules_is_refused(context: RunContext, tmp_path: Path) -> None:
    rules = context.settings.rank.rules.model_copy(update={"seen": "in"})
    other = context.settings.model_copy(update={"rank": context.settings.rank.model_copy(update={"rules": rules})})
    with pytest.raises(ConfigError, match=r"other values of rank\.rules; run `interestrec rank`"):
        open_answers(dataclasses.replace(context, settings=other), 5, None, ())
    path = (tmp_path / "decision").resolve() / "manifest.json"
    files.write_json(path, {**files.read_json(path), "package_version": "0.0.1"})
    with pytest.raises(ArtifactError, match=r"was written by interestrec 0\.0\.1, this is"):
        open_answers(context, 5, None, ())


def test_the_moment_is_after_the_last_event_unless_asked(context: RunContext) -> None:
    now = open_answers(dataclasses.replace(context, rank_request=RankRequest()), 5, None, ())
    last = max(event.day for event in log_of_events() if event.day is not None)
    assert now.options.at == round(last * DAY) + 1
