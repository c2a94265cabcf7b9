"""Whether a leak is seen."""

from pathlib import Path

import numpy as np

from interestrec.corpus.store import Corpus
from interestrec.evaluation.leak_audit import audit_leaks, permute_labels
from tests.scoring.corpora import Event, Impression, write_corpus


def checks(path: Path, events: list[Event], impressions: list[Impression]) -> dict[str, tuple[int, int, str]]:
    corpus = Corpus(write_corpus(path, 2, 4, events, impressions), None)
    return {check.check: (check.count, check.total, check.verdict) for check in audit_leaks(corpus)}


SOUND = [Event(0, 0, 1), Event(0, 1, 2), Event(0, 2, 8, "test"), Event(1, 3, 9, "test")]
SHOWN = [
    Impression(0, "train", (0, 1), [(1, 1.0)], 2),
    Impression(0, "test", (0, 2), [(2, 1.0), (1, 1.0)], 8),
    Impression(1, "test", (0, 0), [(3, 1.0)], 9),
]


def test_what_was_known_is_counted(tmp_path: Path) -> None:
    found = checks(tmp_path, SOUND, SHOWN)
    assert found["relevant test items known"] == (1, 3, "")  # item 1; not 2 and 3
    assert found["test users known"] == (1, 2, "")
    assert found["relevant test pairs known"] == (1, 3, "")  # user 0 had item 1
    assert found["events after the user's first test impression"] == (0, 2, "ok")
    assert found["events after the first test impression of anyone"] == (0, 2, "ok")
    assert found["history entries not before their impression"] == (0, 3, "ok")


def test_events_from_the_future_are_seen(tmp_path: Path) -> None:
    own = checks(tmp_path / "own", [Event(0, 0, 1), Event(0, 1, 8.5), *SOUND[2:]], SHOWN)
    assert own["events after the user's first test impression"] == (1, 2, "look")
    # its own user has no test impression that early, but another one has
    other = [*SOUND[:3], Event(1, 0, 8.5), SOUND[3]]
    late = checks(tmp_path / "other", other, SHOWN)
    assert late["events after the user's first test impression"][0] == 0
    assert late["events after the first test impression of anyone"] == (1, 3, "")


def test_a_history_that_holds_what_it_predicts_is_seen(tmp_path: Path) -> None:
    found = checks(tmp_path, SOUND, [SHOWN[0], Impression(0, "test", (0, 3), [(2, 1.0)], 8)])
    assert found["history entries not before their impression"] == (1, 4, "look")


def test_permuted_labels_must_be_ranked_by_chance() -> None:
    rng = np.random.default_rng(0)
    fair = permute_labels(np.append(rng.normal(0.5, 0.2, 400), np.nan))
    assert fair is not None
    assert (fair.count, fair.verdict) == (400, "ok")
    unfair = permute_labels(rng.normal(0.6, 0.2, 400))
    assert unfair is not None
    assert unfair.verdict == "look"
    assert permute_labels(np.array([np.nan, 0.5])) is None
