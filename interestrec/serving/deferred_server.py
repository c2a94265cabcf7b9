"""DeferredServer: a uvicorn server that leaves signals to interestrec's own handlers."""

from asyncio import Task
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn

from interestrec.core import interrupts


class DeferredServer(uvicorn.Server):
    """Stops when a signal is pending, or when work beside it ends, after the answers that are on their way.

    uvicorn would raise the signal a second time at its end, and a second signal ends the process at once.
    """

    def __init__(self, config: uvicorn.Config, beside: Sequence[Task[None]]) -> None:
        """`beside`: tasks that run as long as the server does; one that ends has failed."""
        super().__init__(config)
        self.beside = beside

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Return whether to stop."""
        ended = interrupts.requested() or any(task.done() for task in self.beside)
        return await super().on_tick(counter) or ended
