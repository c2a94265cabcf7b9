"""The section `serve`: the address, the processes and the limits of the web service."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from interestrec.core.section import Section

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0)]


class ServeSettings(Section):
    """How `serve` answers other programs."""

    host: str = "127.0.0.1"
    """Address to listen on. The usual one is reachable from this machine alone; `0.0.0.0` is reachable from everywhere,
    which asks for `token_file`."""
    port: Port = 8080
    """Port to listen on; 0 takes a free one, which the first log line names."""
    workers: Annotated[int, Field(ge=1)] | None = None
    """Processes that make lists, each with the decision in its memory; null = one per core."""
    queue: Annotated[int, Field(ge=1)] = 128
    """Requests in hand at most. Further ones are answered at once with status 503 and the header Retry-After."""
    max_body_bytes: Annotated[int, Field(ge=1024)] = 1 << 20
    """Bytes of the body of a request at most."""
    max_history: Annotated[int, Field(ge=1)] = 1000
    """Events of a history in a request, candidates, and excluded items at most."""
    max_list: Annotated[int, Field(ge=1)] = 1000
    """Items of a list at most."""
    sender_seconds: Seconds = 10.0
    """Seconds that a client may take to send the head of a request, and as many for the body."""
    answer_seconds: Seconds = 30.0
    """Seconds after which a process that has not answered is replaced and its requests are asked again."""
    token_file: Path | None = None
    """File with one token per line. Requests must then bring one of them as `Authorization: Bearer TOKEN`. The file is
    read again when it changes. null = whoever reaches the address may ask."""
    poll_seconds: Seconds = 1.0
    """Seconds between looks for a new decision, which replaces the current one without a failed request."""
    update_seconds: Seconds | None = None
    """Seconds between runs of `interestrec update --feedback` by the service; null = updates are left to others, such
    as cron."""
