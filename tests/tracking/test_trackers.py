"""Every tracker, by reading back what it wrote."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from interestrec.core.errors import CannotCreateError, ConfigError
from interestrec.tracking import trackers
from interestrec.tracking.mlflow_tracker import MLFLOW, mlflow_name, written_name
from interestrec.tracking.run_tracking import RunTracking
from interestrec.tracking.tracker import TrackedRun
from interestrec.tracking.trackers import TRACKERS
from tests.offline import offline
from tests.tracking.reading import READ

RUN = TrackedRun("finetune", "model", "0123456789abcdef01234567")
NAMES = ["loss", "valid_ndcg@10", "member-1/loss", "catalogue/genre:a%2Fb/hit@5/our % system ci_low"]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new database of MLflow, which takes seconds to make."""
    directory = tmp_path_factory.mktemp("mlflow")
    MLFLOW.open(directory, RUN, False)
    return directory / "mlflow.db"


@pytest.fixture
def directory(tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory for trackers that nothing in the environment leads away from."""
    for name in ("WANDB_MODE", "MLFLOW_TRACKING_URI", "WANDB_PROJECT", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "mlflow").mkdir()
    shutil.copyfile(database, tmp_path / "mlflow" / "mlflow.db")
    return tmp_path


def tracking(directory: Path, name: str, fresh: bool = False) -> RunTracking:
    return RunTracking(RUN, [name], directory, {"seed": "3", "finetune.width": "64"}, fresh)


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """What takes every connection to the web that a library's own processes make, if they make any."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "WANDB_BASE_URL"):
            monkeypatch.setenv(name, address)
        yield server


@pytest.mark.parametrize("name", TRACKERS)
def test_figures_are_read_back_under_their_names(directory: Path, name: str, listener: socket.socket) -> None:
    run = tracking(directory, name)
    for step in (1, 2):
        run.log_figures(step, {key: step + n / 8 for n, key in enumerate(NAMES)})
    run.record(lambda: [(None, {"impressions/all/auc/interestrec": 0.625}), (None, {"nothing": float("nan")})])
    figures = READ[name](directory)[RUN.name]
    expected = {(key, step): [step + n / 8] for n, key in enumerate(NAMES) for step in (1, 2)}
    assert figures == {**expected, ("impressions/all/auc/interestrec", 0): [0.625]}
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])  # wandb asks a process of its own, through a socket
def test_no_other_address_is_sought(directory: Path, name: str) -> None:
    with offline() as attempts:
        tracking(directory, name).record(lambda: [(1, {"loss": 1.0})])
    assert attempts == []
    assert READ[name](directory) == {RUN.name: {("loss", 1): [1.0]}}


@pytest.mark.parametrize("name", TRACKERS)
def test_a_run_that_resumes_has_every_step_once(directory: Path, name: str) -> None:
    killed = tracking(directory, name)
    for step in (1, 2, 3):
        killed.log_figures(step, {"loss": float(step)})
    killed.close()
    resumed = tracking(directory, name)
    for step in range(1, 6):  # from the checkpoint after step 2, whose figures are repeated
        resumed.log_figures(step, {"loss": float(step)})
    resumed.record(lambda: [(step, {"loss": float(step)}) for step in range(1, 6)])
    assert READ[name](directory) == {RUN.name: {("loss", step): [float(step)] for step in range(1, 6)}}


@pytest.mark.parametrize("name", TRACKERS)
def test_a_complete_run_is_not_opened_again_and_one_that_is_built_anew_is_replaced(directory: Path, name: str) -> None:
    tracking(directory, name).record(lambda: [(1, {"loss": 1.0}), (2, {"loss": 2.0})])
    tracking(directory, name).record(lambda: pytest.fail("the figures were asked for"))
    tracking(directory, name, fresh=True).record(lambda: [(1, {"loss": 3.0})])
    assert READ[name](directory) == {RUN.name: {("loss", 1): [3.0]}}


@pytest.mark.parametrize("name", [name for name, kind in TRACKERS.items() if kind.extra])
def test_a_missing_extra_is_named(directory: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackers, "find_spec", lambda module: None)
    with pytest.raises(ConfigError, match=rf"runtime\.tracking: {name} needs .*'interestrec\[{name}\]'"):
        tracking(directory, name)


def test_a_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotCreateError, match="cannot create the directory"):
        tracking(tmp_path / "file", "tensorboard").log_figures(1, {"loss": 1.0})


@pytest.mark.parametrize("name", [*NAMES, "-x40-", "a-x2d-x40-b", "ü: 'x'/y.z", "--x4-"])
def test_names_for_mlflow_lead_back(name: str) -> None:
    from mlflow.utils.validation import validate_param_and_metric_name

    assert validate_param_and_metric_name(mlflow_name(name))
    assert written_name(mlflow_name(name)) == name
    assert mlflow_name("ndcg@10") == "ndcg-x40-10"


def test_trackers_are_chosen_without_loading_their_packages() -> None:
    code = (
        "import sys; from interestrec.tracking import trackers; trackers.require_installed(trackers.TRACKERS);"
        "print([m for m in ('tensorflow', 'numpy', 'wandb', 'mlflow', 'tensorboard') if m in sys.modules])"
    )
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert outcome.stdout.strip() == "[]"
