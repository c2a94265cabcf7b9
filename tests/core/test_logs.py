"""Log lines: one a record, with time, level and the stage at work; nothing in them steers a terminal."""

import json
import logging
import re
import warnings

import pytest

from interestrec.core.logs import log_stage, logging_to_stderr, print_error
from interestrec.core.progress import log

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def test_text_lines_have_time_level_and_the_stage_at_work(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr("run", "text", quiet=False):
        with log_stage("finetune"):
            log.info("finetune: start, valid AUC %.2f", 0.5)
            log.warning("two\nlines \x1b[31m")
        log.info("finetune: done")
        logging.getLogger("elsewhere").info("chatter")
        logging.getLogger("elsewhere").warning("careful")
    log.info("after the session")
    lines = capsys.readouterr().err.splitlines()
    assert [re.sub(TIME, "T", line) for line in lines] == [
        "T INFO finetune: start, valid AUC 0.50",
        r"T WARNING finetune: two lines  [31m",
        "T INFO run: finetune: done",
        "T WARNING run: careful",
    ]


def test_json_lines_are_objects_errors_and_warnings_too(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr("rank", "json", quiet=False), warnings.catch_warnings():
        log.info("half\nway, é")
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        try:
            raise ValueError("odd")
        except ValueError:
            log.exception("kept")
        print_error("rank", "it fails")
    found = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [list(line) for line in found] == [["time", "level", "stage", "message"]] * 4
    assert all(re.fullmatch(TIME, line["time"]) for line in found)
    assert [line["level"] for line in found] == ["INFO", "WARNING", "ERROR", "ERROR"]
    assert {line["stage"] for line in found} == {"rank"}
    assert found[0]["message"] == "half\nway, é"
    assert "DeprecationWarning: old" in found[1]["message"]
    assert found[2]["message"].startswith("kept\nTraceback")
    assert found[3]["message"] == "it fails"


def test_quiet_leaves_errors_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr("rank", "text", quiet=True):
        log.info("begun")
        log.warning("odd")
        logging.getLogger("elsewhere").warning("careful")
        log.error("wrong")
        print_error("rank", "it fails\ntwice")
    assert re.sub(TIME, "T", capsys.readouterr().err) == "T ERROR rank: wrong\ninterestrec rank: it fails\ntwice\n"


def test_nothing_of_it_stays_behind() -> None:
    before = (logging.getLogger().handlers[:], logging.getLogger().level, log.level)
    with pytest.raises(RuntimeError), logging_to_stderr("rank", "json", quiet=True):
        raise RuntimeError
    assert (logging.getLogger().handlers, logging.getLogger().level, log.level) == before
