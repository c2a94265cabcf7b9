"""Which strategy a run has and which process writes, by the settings and TF_CONFIG."""

import json
from typing import Any

import pytest
import tensorflow as tf

from interestrec.config.runtime_settings import RuntimeSettings
from interestrec.core.errors import ConfigError
from interestrec.core.workers import worker_number
from interestrec.training.distribution import choose_strategy

WORKERS = {"worker": ["a:1", "b:1"]}
WITH_CHIEF = {"chief": ["a:1"], "worker": ["b:1"]}


def configure(patch: pytest.MonkeyPatch, content: Any) -> None:
    patch.setenv("TF_CONFIG", content if isinstance(content, str) else json.dumps(content))


@pytest.fixture(autouse=True)
def nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)


@pytest.fixture
def multi_worker(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """How often the strategy of several machines was made; it would wait for them."""
    made: list[None] = []
    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", lambda: made.append(None))
    return made


def test_one_device_is_no_strategy() -> None:
    assert choose_strategy("single") is choose_strategy("auto") is tf.distribute.get_strategy()
    assert choose_strategy("single").num_replicas_in_sync == 1


def test_mirrored_is_all_devices_of_the_machine() -> None:
    strategy = choose_strategy("mirrored")
    assert isinstance(strategy, tf.distribute.MirroredStrategy)
    kind = "GPU" if tf.config.get_visible_devices("GPU") else "CPU"
    assert strategy.num_replicas_in_sync == len(tf.config.list_logical_devices(kind))


def test_auto_is_multi_worker_where_there_are_several(
    monkeypatch: pytest.MonkeyPatch, multi_worker: list[None]
) -> None:
    configure(monkeypatch, {"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}})
    choose_strategy("auto")
    assert not multi_worker
    for cluster in (WORKERS, WITH_CHIEF):
        configure(monkeypatch, {"cluster": cluster, "task": {"type": "worker", "index": 0}})
        choose_strategy("auto")
    assert len(multi_worker) == 2
    choose_strategy("single")
    assert len(multi_worker) == 2


def test_multi_worker_is_taken_at_its_word(monkeypatch: pytest.MonkeyPatch, multi_worker: list[None]) -> None:
    configure(monkeypatch, {"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}})
    choose_strategy("multi_worker")
    assert len(multi_worker) == 1


@pytest.mark.parametrize("content", [None, {}, {"cluster": {}}, {"cluster": {"evaluator": ["a:1"]}}])
def test_multi_worker_without_workers(monkeypatch: pytest.MonkeyPatch, content: Any, multi_worker: list[None]) -> None:
    if content is not None:
        configure(monkeypatch, content)
    with pytest.raises(ConfigError, match=r"runtime\.distribution is multi_worker, but TF_CONFIG names no workers"):
        choose_strategy("multi_worker")
    assert not multi_worker


@pytest.mark.parametrize("distribution", ["auto", "multi_worker"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"cluster": {**WORKERS, "ps": ["c:1"]}}, "names parameter servers"),
        ('{"cluster": ', "TF_CONFIG is not JSON"),
        ('["worker"]', "TF_CONFIG is not a JSON object"),
    ],
)
def test_what_cannot_be_run(
    monkeypatch: pytest.MonkeyPatch, multi_worker: list[None], distribution: str, content: Any, reason: str
) -> None:
    configure(monkeypatch, content)
    with pytest.raises(ConfigError, match=reason):
        choose_strategy(distribution)
    assert not multi_worker


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, 0),
        ({"cluster": WORKERS, "task": {"type": "worker", "index": 0}}, 0),
        ({"cluster": WORKERS, "task": {"type": "worker", "index": "1"}}, 1),
        ({"cluster": WITH_CHIEF, "task": {"type": "chief", "index": 0}}, 0),
        ({"cluster": WITH_CHIEF, "task": {"type": "worker", "index": 0}}, 1),
    ],
)
def test_the_first_worker_is_the_one_that_writes(monkeypatch: pytest.MonkeyPatch, content: Any, expected: int) -> None:
    if content is not None:
        configure(monkeypatch, content)
    assert worker_number("auto") == expected
    assert worker_number("single") == 0


@pytest.mark.parametrize("task", [{}, {"type": "ps", "index": 0}, {"type": "worker"}, {"type": "worker", "index": "x"}])
def test_a_worker_that_does_not_know_which_it_is(monkeypatch: pytest.MonkeyPatch, task: Any) -> None:
    configure(monkeypatch, {"cluster": WORKERS, "task": task})
    with pytest.raises(ConfigError, match="has no task with type"):
        worker_number("auto")


def test_the_settings_name_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"'auto', 'single', 'mirrored' or 'multi_worker'"):
        RuntimeSettings.model_validate({"distribution": "parameter_server"})
