"""A connection to workers of Dask distributed: a scheduler that is running, or worker processes started here."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from interestrec.cluster.release_versions import release_versions, version_differences
from interestrec.cluster.worker_tasks import release_memory, versions_here
from interestrec.config.runtime_settings import ClusterSettings, RuntimeSettings
from interestrec.core.errors import ConfigError, DeviceError, PeerLostError, WorkerVersionError
from interestrec.core.progress import log

if TYPE_CHECKING:
    from distributed import LocalCluster

_GIB = 1 << 30
_WAIT = 60.0  # seconds until a scheduler without workers counts as one that has none
_DASK = {
    # A worker that is killed takes its task along; a task that kills every worker should not go on forever.
    "distributed.scheduler.allowed-failures": 10,
    "distributed.comm.timeouts.connect": "15s",
}
_LOGGERS = ("distributed", "distributed.core", "distributed.nanny", "distributed.scheduler", "distributed.worker")


def require_package() -> None:
    """Check that the extra is installed, before anything is built.

    Raises:
        ConfigError: it is not.
    """
    if find_spec("distributed") is None:
        raise ConfigError(
            "runtime.cluster: needs the package distributed; run: pip install 'interestrec[cluster]' here and on the "
            "machines of the workers"
        )


class ClusterConnection:
    """A client of a scheduler whose workers have the versions of this process.

    Raises:
        DeviceError: there is no scheduler at the address, or it has no workers, or one has several threads.
        WorkerVersionError: a worker or the scheduler has other versions.
    """

    def __init__(self, runtime: RuntimeSettings) -> None:
        import dask
        from distributed import Client

        assert runtime.cluster is not None
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what concerns users is an error of ours
        self._local: LocalCluster | None = None
        with dask.config.set(_DASK):
            if runtime.cluster.local is not None:
                self._local = _started_workers(runtime.cluster, runtime.memory)
                self.address = self._local.scheduler_address
            else:
                self.address = str(runtime.cluster.address)
            try:
                self.client = Client(self.address, set_as_default=False)
            except OSError as error:  # also a timeout
                reason = "no scheduler answers; start one with `dask scheduler`, or check runtime.cluster.address"
                raise DeviceError(f"{self.address}: {reason}") from error
        try:
            self._require_workers()
        except BaseException:
            self.close()
            raise
        log.info("cluster: %d worker(s) at %s", self.workers(), self.address)

    def workers(self) -> int:
        """Return the number of workers that are connected now.

        Raises:
            OSError: the scheduler is lost.
        """
        return len(self.client.nthreads())

    def close(self) -> None:
        """Let the workers forget what they opened, and disconnect; workers that were started here end."""
        with suppress(Exception):  # they may be gone, and nothing depends on it
            if self._local is None and self.client.status == "running":
                self.client.run(release_memory)
        self.client.close(timeout=2)
        if self._local is not None:
            self._local.close(timeout=5)

    def _require_workers(self) -> None:
        try:
            self.client.wait_for_workers(1, timeout=_WAIT)
        except TimeoutError as error:
            advice = f"start them with `dask worker {self.address} --nthreads 1`"
            raise DeviceError(f"{self.address}: the scheduler has no workers; {advice}") from error
        threads = self.client.nthreads()
        if several := [worker for worker, count in threads.items() if count != 1]:
            raise DeviceError(
                f"{several[0]}: the worker has {threads[several[0]]} threads; start it with --nthreads 1, and several "
                "on a machine with several cores"
            )
        ours = release_versions()
        versions: Any = self.client.get_versions()  # of a synchronous client
        scheduler = versions["scheduler"]["packages"]["distributed"]
        if scheduler != ours["distributed"]:
            raise WorkerVersionError(
                f"{self.address}: the scheduler has distributed {scheduler} instead of {ours['distributed']}; install "
                "the same release on all machines"
            )
        for worker, answer in self._versions_of_workers().items():
            if differences := version_differences(ours, answer):
                raise WorkerVersionError(f"{worker}: the worker has {differences}; install the same release on both")

    def _versions_of_workers(self) -> dict[str, dict[str, Any]]:
        answers = self.client.run(versions_here, on_error="return")
        # A worker that was lost meanwhile says nothing; the one in its place is asked by its first task.
        answers = {worker: answer for worker, answer in answers.items() if not isinstance(answer, OSError)}
        for worker, answer in answers.items():
            if not isinstance(answer, str):
                ours = release_versions()["interestrec"]
                raise WorkerVersionError(
                    f"{worker}: the worker cannot run the tasks of interestrec {ours} ({type(answer).__name__}: "
                    f"{answer}); install the same release there"
                )
        return {worker: json.loads(answer) for worker, answer in answers.items()}


def _started_workers(cluster: ClusterSettings, memory: float) -> LocalCluster:
    """Start worker processes of one thread on this machine, each with a limit of memory in GiB.

    Raises:
        PeerLostError: one was lost before it was ready.
    """
    from distributed import LocalCluster

    try:
        return LocalCluster(
            n_workers=cluster.local,
            threads_per_worker=1,
            processes=True,
            memory_limit=int(memory * _GIB),
            host="127.0.0.1",  # nobody else may send tasks
            dashboard_address=None,
        )
    except (RuntimeError, OSError) as error:
        reason = str(error.__cause__ or error).strip() or type(error).__name__
        raise PeerLostError(f"runtime.cluster.local: a worker did not start ({reason}); run again") from error
