"""Progress goes to the log off a terminal and never changes what is iterated."""

import logging

import pytest

from interestrec.core import progress


def test_off_a_terminal_it_logs_lines(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0.0)
    with caplog.at_level(logging.INFO, logger="interestrec"):
        assert list(progress.track(range(3), "encoding", unit="texts")) == [0, 1, 2]
    assert "encoding: 2 of 3 texts" in caplog.messages


def test_quiet_logs_nothing(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0.0)
    with caplog.at_level(logging.WARNING, logger="interestrec"):
        assert list(progress.track(iter("ab"), "encoding")) == ["a", "b"]
    assert caplog.messages == []
