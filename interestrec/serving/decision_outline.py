"""DecisionOutline: what the web service itself knows of a decision: kinds of events, ids and titles to search."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from interestrec.corpus.store import NO_TIME
from interestrec.io import artifact_files, files
from interestrec.scoring.decision_files import DecisionContext, read_context
from interestrec.workspace.artifacts import Artifact


@dataclass(frozen=True)
class DecisionOutline:
    """A decision as clients see it."""

    digest: str
    path: Path
    context: DecisionContext
    kinds: list[str]  # of events, in alphabetical order
    last_event: int | None  # microseconds; None: events have no times
    items: pa.Table  # item_id, title
    users: pa.Array  # ids, as the log has them

    @classmethod
    def read(cls, artifact: Artifact) -> "DecisionOutline":
        """Read the outline of a decision.

        Raises:
            ArtifactError: it is of another release, or damaged.
        """
        artifact.require_release()
        log = artifact.path / artifact_files.LOG
        events = files.read_parquet(log / artifact_files.TIMELINES, columns=["event", "time"])
        last = pc.max(events["time"].cast(pa.int64())).as_py()
        return cls(
            digest=artifact.digest,
            path=artifact.path,
            context=read_context(artifact.path),
            kinds=sorted(pc.unique(events["event"].cast(pa.string())).drop_null().to_pylist()),
            last_event=None if last is None or last == NO_TIME else last,
            items=files.read_parquet(log / artifact_files.ITEMS, columns=["item_id", "title"]).combine_chunks(),
            users=files.read_parquet(log / artifact_files.USERS, columns=["user_id"])["user_id"].combine_chunks(),
        )

    @property
    def as_of(self) -> str | None:
        """Time of the lists, just after the last event, ISO 8601; None: events have no times."""
        if self.last_event is None:
            return None
        return datetime.fromtimestamp((self.last_event + 1) / 1e6, UTC).isoformat().replace("+00:00", "Z")

    @property
    def probe(self) -> dict[str, Any]:
        """A request for which a process has to load and compute all that it keeps, so that no person waits for it."""
        item = self.items["item_id"].slice(0, 1).to_pylist()
        history = [f"{name}:{kind}" for name, kind in zip(item, self.kinds, strict=False)]
        return {"history": history, "k": 1, "why": True, "components": True, "unknown": "report"}

    def search_items(self, text: str, most: int) -> list[dict[str, str]]:
        """Return items whose title or id contains a text, whatever the case; those that begin with it first."""
        title, name = self.items["title"], self.items["item_id"]
        found = pc.or_kleene(
            pc.match_substring(title, text, ignore_case=True), pc.match_substring(name, text, ignore_case=True)
        )
        matching = self.items.filter(pc.fill_null(found, False))
        begins = pc.fill_null(pc.starts_with(matching["title"], text, ignore_case=True), False)
        first = matching.filter(begins).slice(0, most)
        others = matching.filter(pc.invert(begins)).slice(0, most - first.num_rows)
        return pa.concat_tables([first, others]).to_pylist()

    def search_users(self, text: str, most: int) -> list[str]:
        """Return ids of users that begin with a text."""
        return self.users.filter(pc.starts_with(self.users, text)).slice(0, most).to_pylist()
