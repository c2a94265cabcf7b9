"""A report on few users: nothing of fewer than asked, and nothing of anyone by themselves."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from interestrec.core.errors import ConfigError
from interestrec.stages import evaluate, evaluate_windows, rank
from interestrec.stages.evaluate_windows import WindowArtifacts
from interestrec.stages.run import GateRequest, RunContext
from tests.stages.ranking import log_of_events, stand_in_for_intensity, workspace
from tests.stages.reports import by_hand


def asking(context: RunContext, **changes: Any) -> RunContext:
    section = context.settings.evaluate.model_copy(update=changes)
    return dataclasses.replace(context, settings=context.settings.model_copy(update={"evaluate": section}))


def rows(path: Path, name: str) -> list[dict[str, Any]]:
    return pq.read_table(path / name).to_pylist()


@pytest.mark.slow
@pytest.mark.parametrize("least", [5, 20])
def test_slices_of_few_are_left_out_and_nobody_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, least: int
) -> None:
    stand_in_for_intensity(monkeypatch)
    context = workspace(tmp_path, log_of_events())
    rank.run(context)
    open_report = evaluate.run(context).artifact.path
    result = evaluate.run(asking(context, min_users=least))
    path = result.artifact.path
    of_users = {(row["system"], row["user_id"]) for row in rows(open_report, "per_user.parquet")}
    assert any(user in (open_report / "report.html").read_text() for _, user in of_users)
    assert not any(f">{user}<" in (path / "report.html").read_text() for _, user in of_users)
    assert not (path / "per_user.parquet").exists()
    shown, all_of_them = (
        {(row["protocol"], row["slice"]) for row in rows(one, "metrics.parquet")} for one in (path, open_report)
    )
    assert ("catalogue", "all") in shown
    assert (shown < all_of_them) == (least == 20)  # quarters of 60 users
    left = [row for row in rows(open_report, "metrics.parquet") if (row["protocol"], row["slice"]) not in shown]
    assert result.summary["rows_suppressed"] == len(left)
    assert json.loads((path / "slices.json").read_text())["left_out"] == {}
    assert "All counts of preprocess" not in (path / "report.html").read_text()
    assert "All counts of preprocess" in (open_report / "report.html").read_text()
    # Of the decision, the weights stay: the page shows no numbers of lists, and no values of a metric on few lists.
    for one, is_open in ((path, False), (open_report, True)):
        page = (one / "report.html").read_text()
        decision = page[page.index('id="decision"') : page.index('id="audit"')]
        assert "<td>catalogue</td>" in decision
        assert (re.search(r"held-out lists|has no list to tell", decision) is not None) == is_open
        assert (re.search(r"<td>[0-9,]+</td></tr>", decision) is not None) == is_open


def test_nothing_is_told_of_too_few_in_all(tmp_path: Path) -> None:
    context = by_hand(tmp_path)
    path = evaluate.run(asking(context, min_users=3)).artifact.path
    assert {row["slice"] for row in rows(path, "metrics.parquet")} == {"all"}
    path = evaluate.run(asking(context, min_users=4)).artifact.path
    for name in ("metrics", "comparisons", "gaps", "exposure"):
        assert rows(path, f"{name}.parquet") == [], name
    assert json.loads((path / "verdicts.json").read_text()) == {}
    checks = json.loads((path / "audit.json").read_text())
    assert {check["of"] for check in checks} <= {None, 0}
    page = (path / "report.html").read_text()
    assert "fewer than 4 users" in page
    assert "<svg" not in page


def of_windows(root: Path, least: int) -> Path:
    """The artifact `windows` of two windows with the same three users."""
    artifacts = {}
    for number in (1, 2):
        context = asking(by_hand(root / str(number)), min_users=least)
        report = evaluate.run(context).artifact
        artifacts[number] = WindowArtifacts(context.open("corpus"), context.open("rankings"), report)
    return evaluate_windows.run(asking(by_hand(root / "all"), min_users=least), artifacts).artifact.path


@pytest.mark.parametrize("least", [1, 2, 4])
def test_windows_show_no_times_and_no_numbers_of_few(tmp_path: Path, least: int) -> None:
    path = of_windows(tmp_path, least)
    document = json.loads((path / "windows.json").read_text())
    page = (path / "report.html").read_text()
    span = document["windows"][0]
    assert span["users"] == (None if least == 4 else 3)
    assert (span["test_from"] is None) == (span["events"]["test"] is None) == (least > 1)
    assert (rows(path, "metrics.parquet") == []) == (document["verdicts"] == {}) == (least == 4)
    for verdict in document["verdicts"].values():
        assert verdict["users"] == (None if least == 2 else 3)
        assert ("users" in verdict["rival"]) == (least == 1)
    assert (f"fewer than {least} users are withheld" in page) == (least > 1)
    assert ("withheld</td>" in page) == (least > 1)
    assert ("Z</td>" in page) == (least == 1)
    assert "None" not in page


def test_values_of_users_that_are_not_kept_are_not_promised(tmp_path: Path) -> None:
    context = by_hand(tmp_path)
    kept = evaluate.run(context).artifact.path
    without = evaluate.run(asking(context, min_users=2)).artifact.path
    with pytest.raises(ConfigError, match=r"evaluate\.min_users is 2"):
        evaluate.run(dataclasses.replace(asking(context, min_users=2), gate=GateRequest((), kept)))
    with pytest.raises(ConfigError, match="keeps no values per user"):
        evaluate.run(dataclasses.replace(context, gate=GateRequest((), without)))
