"""Places the parts of a stage on the workers of a cluster, a few at a time."""

from __future__ import annotations

import json
from asyncio import CancelledError
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from interestrec.cluster.connection import ClusterConnection, require_package
from interestrec.cluster.task_messages import raise_error, task_head
from interestrec.cluster.worker_tasks import encoded, perform
from interestrec.config.runtime_settings import RuntimeSettings
from interestrec.core.errors import PeerLostError
from interestrec.stages.placed_work import PlacedPart
from interestrec.stages.run import RunContext

if TYPE_CHECKING:
    from distributed import Future

_PER_WORKER = 2  # parts on their way: one that is being made, and one that waits for its end
_SECONDS = 30.0  # between looks at workers, while no part is finished
_PATIENCE = 20  # looks in a row that may find no worker at all


class ClusterPlacement:
    """Workers that are connected to when the first part is placed, so that what is up to date needs none.

    Raises:
        ConfigError: the extra is not installed.
    """

    def __init__(self, runtime: RuntimeSettings) -> None:
        require_package()
        self._runtime = runtime
        self._connection: ClusterConnection | None = None

    def close(self) -> None:
        """Disconnect; see ClusterConnection."""
        if self._connection is not None:
            self._connection.close()

    def workers(self) -> int:
        """Return the number of workers.

        Raises:
            InterestrecError: see `results`.
        """
        connection = self._connected()
        with _losses(connection.address):
            return connection.workers()

    def results(self, task: str, context: RunContext, parts: Sequence[PlacedPart]) -> Iterator[Mapping[str, Any]]:
        """Make parts, and yield the answer on each when it is there: its path and digest.

        At most two parts per worker are on their way, so that workers that are lost or join are counted on. The engine
        places a part again if its worker is lost.

        Raises:
            DeviceError, WorkerVersionError: see ClusterConnection.
            PeerLostError: the scheduler or all workers were lost, or a part lost worker after worker.
            InterestrecError: as on the worker.
        """
        head = task_head(context)
        waiting = deque(encoded(task, head, part.target, part.arguments) for part in parts)
        running: set[Future] = set()
        connection = self._connected()
        try:
            while waiting or running:
                with _losses(connection.address):
                    room = _PER_WORKER * max(1, connection.workers()) - len(running)
                    for _ in range(min(room, len(waiting))):
                        running.add(connection.client.submit(perform, waiting.popleft(), pure=False))
                    done = self._next_done(connection, running)
                    answers = [json.loads(future.result()) for future in done]
                running -= done
                for answer in answers:
                    raise_error(answer)
                    yield answer
        finally:
            for future in running:
                with suppress(Exception):
                    future.cancel()

    def _connected(self) -> ClusterConnection:
        if self._connection is None:
            self._connection = ClusterConnection(self._runtime)
        return self._connection

    def _next_done(self, connection: ClusterConnection, running: set[Future]) -> set[Future]:
        """Wait until a part is finished.

        Raises:
            PeerLostError: there was no worker for a long time.
        """
        from distributed import wait

        without_workers = 0
        while True:
            with suppress(TimeoutError), connection.client.as_current():
                return set(wait(running, timeout=_SECONDS, return_when="FIRST_COMPLETED").done)
            without_workers = 0 if connection.workers() else without_workers + 1
            if without_workers >= _PATIENCE:
                raise PeerLostError(f"{connection.address}: all workers were lost; start some and run again")


@contextmanager
def _losses(address: str) -> Iterator[None]:
    """Within the context, what the engine raises at a loss becomes a PeerLostError."""
    from distributed.scheduler import KilledWorker

    try:
        yield
    except KilledWorker as error:
        raise PeerLostError(
            f"{address}: a part lost {error.allowed_failures + 1} workers, one after another; if they need more "
            "memory, raise runtime.memory or their limit; then run again, finished parts are kept"
        ) from error
    except (OSError, CancelledError) as error:  # CommClosedError is one of the former
        raise PeerLostError(
            f"{address}: the scheduler was lost; start it and run again, finished parts are kept"
        ) from error
