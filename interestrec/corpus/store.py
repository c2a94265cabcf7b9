"""The `corpus` artifact as columnar arrays, which all later stages read."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core.errors import ArtifactError
from interestrec.corpus.counters import EventCounters, are_periods
from interestrec.corpus.counts_at_times import CountsAtTimes
from interestrec.corpus.impression_files import Impressions, read_impressions
from interestrec.corpus.no_time import NO_TIME
from interestrec.corpus.timeline_files import Timelines, read_timelines
from interestrec.io import artifact_files, files, schemas
from interestrec.io.spilled_arrays import SpilledArray
from interestrec.text.tokenizer import DIGEST_LENGTH, tokenizer_digest
from interestrec.workspace.artifacts import open_within


@dataclass(frozen=True)
class Corpus:
    """A corpus opened for reading; tables are loaded at first use."""

    path: Path
    relevant_at: float | None  # least relevant intensity; None = every intensity > 0 is relevant
    whole: "Corpus | None" = field(default=None, compare=False, repr=False)  # whose splits `with_splits` replaced

    @classmethod
    def open(cls, path: str | Path) -> "Corpus":
        """Open a corpus by its directory, or by the workspace that it is in; every file of it is checked.

        What counts as relevant is read from the configuration that the corpus was built with.

        Raises:
            InputMissingError: there is none.
            ArtifactError: it is damaged, or not a corpus.

        Example:
            >>> corpus = interestrec.Corpus.open("workspace")
            >>> corpus.items.to_pandas().groupby("category").size()
            >>> corpus.events.to_pandas().groupby("user_id").intensity.mean()
        """
        artifact = open_within(Path(path), "corpus")
        return cls(artifact.path, artifact.manifest["config"].get("data", {}).get("relevant_at"))

    @cached_property
    def items(self) -> pa.Table:
        """Table of schemas.ITEMS followed by the items' attributes; row number = item."""
        return files.read_parquet(self.path / artifact_files.ITEMS, schemas.ITEMS)

    @cached_property
    def users(self) -> pa.Table:
        """Table of schemas.USERS followed by the users' attributes; row number = user."""
        return files.read_parquet(self.path / artifact_files.USERS, schemas.USERS)

    @property
    def user_attributes(self) -> list[str]:
        """Names of the users' attributes, nullable columns of `users` of type string or float64."""
        return [name for name in self.users.column_names if name not in schemas.USERS.names]

    @property
    def item_attributes(self) -> list[str]:
        """Names of the items' attributes, nullable columns of `items` as `schemas.with_attributes` types them."""
        return [name for name in self.items.column_names if name not in schemas.ITEMS.names]

    @cached_property
    def moment(self) -> int:
        """Microseconds just after the last event, the time of lists unless another is asked for.

        NO_TIME if events have no times.
        """
        last = int(self.timelines.time.max(initial=NO_TIME))
        return last if last == NO_TIME else last + 1

    @cached_property
    def in_valid_select(self) -> np.ndarray:
        """bool [users]: True in the half of valid for model selection; the other half is valid_blend."""
        part = self.users["valid_part"].cast(pa.string())
        return pc.equal(part, "valid_select").to_numpy()

    def text_features(self, encoder: Path) -> pa.Table:
        """Return the tokens of the items by the tokenizer of an encoder's directory.

        Returns:
            Table of schemas.TEXT_FEATURES; row number = item.

        Raises:
            ArtifactError: the corpus was made with other tokenizers.
        """
        paths = self.token_files
        if len(paths) > 1:  # a single one is that of the encoder, as the lineage of the artifacts shows
            name = artifact_files.TOKENS.format(tokenizer_digest(encoder)[:DIGEST_LENGTH])
            paths = [path for path in paths if path.name == name]
        if len(paths) != 1:
            raise ArtifactError(
                f"{self.path / artifact_files.FEATURES}: expected one file of text features for the tokenizer of "
                f"{encoder}, found {len(paths)}; run `interestrec preprocess --force`"
            )
        return files.read_parquet(paths[0], schemas.TEXT_FEATURES)

    @property
    def title_tokens(self) -> pa.Array:
        """Tokens of the items' titles as numbers, list<int32> [items]; words where no encoder reads texts."""
        paths = self.token_files
        if paths:
            return files.read_parquet(paths[0], columns=["title_tokens"])["title_tokens"].combine_chunks()
        words = pc.utf8_split_whitespace(pc.utf8_lower(self.items["title"].combine_chunks()))
        numbers = words.flatten().dictionary_encode().indices
        return pa.ListArray.from_arrays(words.offsets, numbers)

    @property
    def token_files(self) -> list[Path]:
        """Paths of the tokens by each tokenizer; none if no encoder reads texts."""
        return sorted((self.path / artifact_files.FEATURES).glob(artifact_files.TOKENS.format("*")))

    @property
    def events(self) -> pa.Table:
        """Table of schemas.TIMELINES with the columns `user_id` and `item_id` in place of the numbers."""
        table = files.read_parquet(self.path / artifact_files.TIMELINES, schemas.TIMELINES)
        user_id, item_id = self.users["user_id"].take(table["user"]), self.items["item_id"].take(table["item"])
        return table.set_column(0, "user_id", user_id).set_column(1, "item_id", item_id)

    @cached_property
    def timelines(self) -> Timelines:
        """All events as arrays."""
        return read_timelines(self.path / artifact_files.TIMELINES, self.users.num_rows)

    def timelines_of(self, users: np.ndarray) -> Timelines:
        """Return timelines in which the events of these users are complete; others may lack.

        Until all events are read, only the row groups of these users are.

        Args:
            users: int, numbers of users in any order.
        """
        if "timelines" in self.__dict__:
            return self.timelines
        return read_timelines(self.path / artifact_files.TIMELINES, self.users.num_rows, users)

    @cached_property
    def impressions(self) -> Impressions:
        """All impressions and their candidates as arrays."""
        return read_impressions(self.path, self.timelines.offsets)

    @cached_property
    def impression_ids(self) -> pa.ChunkedArray:
        """Ids of the impressions, string [impressions], which training does not need."""
        return files.read_parquet(self.path / artifact_files.IMPRESSIONS, columns=["impression_id"])["impression_id"]

    @cached_property
    def counters(self) -> EventCounters:
        """Events of each item by time; see `_counted` for what counts."""
        return self._spilled(EventCounters.of(*self._counted(self.timelines.item, self.items.num_rows)))

    @cached_property
    def counts_at_times(self) -> CountsAtTimes:
        """The same events for questions about all items at one time."""
        counts = CountsAtTimes.of(*self._counted(self.timelines.item, self.items.num_rows))
        owner, time = (SpilledArray.of(array, self.path) for array in (counts.owner, counts.time))
        return replace(counts, owner=owner, time=time)

    @cached_property
    def user_counters(self) -> EventCounters:
        """Events of each user by time; see `_counted` for what counts."""
        return self._spilled(EventCounters.of(*self._counted(self.timelines.user, self.users.num_rows)))

    def _spilled(self, counters: EventCounters) -> EventCounters:
        return replace(counters, keys=SpilledArray.of(counters.keys, self.path))

    def _counted(self, owner: np.ndarray, owners: int) -> tuple[np.ndarray, np.ndarray, int]:
        """Return owner and time of the events that count, and the number of owners.

        They are the positive events, those with an intensity above 0, that could be known at a time. Where splits are
        periods of time, events of all splits count from their time on: none of test is known in train. Where they are
        not, the test events of one user are earlier than train events of another, so events of train alone count. Rows
        of logged histories never count: a log repeats one event in the histories of many impressions. Events without a
        time do not count.
        """
        rows = self.timelines
        counted = (rows.intensity > 0) & (rows.split >= 0) & ~self.is_logged_history
        if not self.splits_are_periods:
            counted &= rows.split == schemas.TRAIN
        if counted.all():
            return owner, rows.time, owners
        return owner[counted], rows.time[counted], owners

    @cached_property
    def splits_are_periods(self) -> bool:
        """Whether no event is earlier than one of an earlier split; splits per user and random ones overlap."""
        if self.whole is not None:
            return self.whole.splits_are_periods
        rows, single = self.timelines, ~self.is_logged_history
        return are_periods(rows.time[single], rows.split[single])

    @cached_property
    def is_logged_history(self) -> np.ndarray:
        """bool [events]: the row of the timelines is an entry of a logged history, not an event of its own."""
        logged = SpilledArray(np.bool_, self.path)
        for table in files.stream_parquet(self.path / artifact_files.TIMELINES, ["event"]):
            logged.append(pc.equal(table["event"].cast(pa.string()), schemas.HISTORY_EVENT).to_numpy())
        return logged.finish()

    def with_splits(self, events: np.ndarray, impressions: np.ndarray) -> "Corpus":
        """Return the corpus with other split codes, int8 [events] and [impressions]; -1 belongs to no split."""
        corpus = Corpus(self.path, self.relevant_at, self.whole or self)
        # Setting the cached properties prevents them from reading files.
        corpus.__dict__.update(
            items=self.items,
            users=self.users,
            timelines=replace(self.timelines, split=events),
            impressions=replace(self.impressions, split=impressions),
        )
        return corpus

    def cold_items(self, before: int) -> np.ndarray:
        """Find items without a positive event, and outside impression histories, in splits before `before`.

        An event is positive if its intensity is above 0, whether or not it is relevant.

        Args:
            before: index into schemas.SPLITS.

        Returns:
            bool [items].
        """
        events, impressions = self.timelines, self.impressions
        early = impressions.split < before
        n = len(events.item)
        depth = np.bincount(impressions.history_start[early], minlength=n + 1)
        depth -= np.bincount(impressions.history_end[early], minlength=n + 1)
        in_history = np.cumsum(depth, out=depth)[:n] > 0
        known = in_history | ((events.split < before) & (events.intensity > 0))
        cold = np.ones(self.items.num_rows, dtype=bool)
        cold[events.item[known]] = False
        return cold

    @cached_property
    def has_logged_histories(self) -> bool:
        """Whether the log contains a history per impression, as MIND does."""
        return bool(self.is_logged_history.any())

    @property
    def requests_are_events(self) -> bool:
        """Whether every request was made of one event, so that no list was shown."""
        return bool((np.diff(self.impressions.offsets) == 1).all())

    @property
    def is_unordered(self) -> bool:
        """Whether the order of events says nothing: they have no times, and no history was logged."""
        timed = (self.timelines.time != NO_TIME).any()
        return self.requests_are_events and not timed and not self.has_logged_histories

    @property
    def relevant_from(self) -> float:
        """The smallest label that counts as relevant."""
        return float(np.finfo(np.float32).tiny) if self.relevant_at is None else float(np.float32(self.relevant_at))

    def relevant(self, label: np.ndarray) -> np.ndarray:
        """Mark the relevant labels; bool in the shape of `label`. An unknown label, NaN, is not relevant."""
        return label > 0 if self.relevant_at is None else label >= np.float32(self.relevant_at)
