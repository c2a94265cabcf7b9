"""AnswerService: where questions of the command line and of other programs are answered from one decision."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from interestrec.answering.answer_tables import Answer, answer_documents, json_line
from interestrec.answering.asked import Asked
from interestrec.answering.list_reasons import list_reasons
from interestrec.answering.pair_files import read_pairs
from interestrec.answering.recommender import Recommender
from interestrec.answering.request_lines import ListOptions, ReadRequest, RequestReader
from interestrec.core import ragged
from interestrec.scorers.requests import NOBODY
from interestrec.scoring.shards import user_rows

_CHUNK = 1024  # requests that are answered together at most


@dataclass(frozen=True)
class AnswerService:
    """Where questions to the decision of a workspace are answered."""

    recommender: Recommender
    options: ListOptions
    to_log_id: Callable[[str], str]  # from a user id of the command line to that of the log

    @cached_property
    def reader(self) -> RequestReader:
        """Reader of requests."""
        return RequestReader(self.recommender, self.options, self.to_log_id)

    def lists_of_users(self, names: Sequence[str]) -> Answer:
        """Return the lists of users of the log.

        Raises:
            DataError: a user is unknown.
        """
        users = np.array([self.reader.user(name) for name in names], np.int64)
        return self._answer(names, self.reader.asked(self.options, users, None))

    def lists_of_file(self, users: Path | None) -> Iterator[Answer]:
        """Yield the lists of the users in a file with one id per line, None = of all, in parts."""
        rows = self._rows_of_file(users)
        for start in range(0, max(len(rows), 1), _CHUNK):  # one answer also for nobody
            part = rows[start : start + _CHUNK]
            names = self.recommender.log.users["user_id"].take(part).to_pylist()
            yield self._answer(names, self.reader.asked(self.options, part, None))

    def _rows_of_file(self, users: Path | None) -> np.ndarray:
        known = self.recommender.log.users["user_id"]
        return np.arange(len(known)) if users is None else user_rows(users, known, self.to_log_id)

    def list_of_history(self, texts: Sequence[str], user: str | None) -> Answer:
        """Return the list of a person with the given events; with `user`, of that user with them.

        Raises:
            DataError: see `GivenEventReader.read`.
        """
        row = NOBODY if user is None else self.reader.user(user)
        given = self.reader.histories.read(texts, self.options.at, "--history")
        asked = self.reader.asked(self.options, np.array([row]), [given])
        return self._answer([user or "you"], asked)

    def _answer(self, names: Sequence[str], asked: Asked, options: ListOptions | None = None) -> Answer:
        """Return the lists of requests, with reasons if they are wanted; None: by the options of the service."""
        rows = self.recommender.recommend(asked)
        why = (options or self.options).why
        return Answer(names, rows, list_reasons(self.recommender, asked, rows) if why else None)

    def similar(self, item: str) -> Answer:
        """Return the items that are most like an item."""
        permitted = self.reader.permitted_items(self.options)
        found = self.recommender.similar_items(self.recommender.find_item(item), self.options.k, permitted)
        return Answer([item], found, key="like_item_id")

    def interested(self, item: str, users: Path | None) -> Answer:
        """Return the users with the highest score of an item, each as a request with this item alone.

        Args:
            users: file of those who are asked about, one id per line; None = all.
        """
        asked = self._rows_of_file(users)
        rows = self.recommender.interested_users(
            self.recommender.find_item(item), asked, self.options.at, self.options.k
        )
        names = self.recommender.log.users["user_id"].take(asked[rows.request]).to_pylist()
        return Answer(names, rows.numbered())

    def pairs(self, path: Path) -> Answer:
        """Return the scores of the pairs in a file, in its order.

        Raises:
            DataError: a user or item is unknown, or the file cannot be read.
        """
        users, items = read_pairs(path)
        names = list(dict.fromkeys(users))
        place = {name: n for n, name in enumerate(names)}
        owner = np.array([place[name] for name in users], np.int64)
        order = np.argsort(owner, kind="stable")
        item = np.array([self.recommender.find_item(name) for name in items], np.int64)
        rows = np.array([self.reader.user(name) for name in names], np.int64)
        offsets = ragged.from_owner(owner[order], len(names))
        scored = self.recommender.score_pairs(self.reader.asked(self.options, rows, None), offsets, item[order])
        return Answer(names, scored.rows(np.argsort(order, kind="stable")))

    def request_lines(self, chunks: Iterable[bytes], titles: bool) -> Iterator[tuple[str, bool]]:
        """Answer requests of JSON lines; yield one JSON document per request, and whether it could be answered.

        Args:
            chunks: of the lines, which are answered as they arrive.
            titles: see `answer_documents`.
        """
        number, rest = 0, b""
        for chunk in chain(chunks, [b"\n"]):
            *lines, rest = (rest + chunk).split(b"\n")
            for start in range(0, len(lines), _CHUNK):
                part = lines[start : start + _CHUNK]
                texts = {number + n: line.decode("utf-8", "replace") for n, line in enumerate(part, 1) if line.strip()}
                number += len(part)
                yield from self._answered([self.reader.read(text, n) for n, text in texts.items()], titles)

    def _answered(self, requests: Sequence[ReadRequest], titles: bool) -> Iterator[tuple[str, bool]]:
        found: dict[int, dict[str, Any]] = {}
        for positions, options, asked in self.reader.grouped(requests):
            answer = self._answer([requests[position].name for position in positions], asked, options)
            documents = answer_documents(self.recommender.log, answer, titles, options.components)
            found.update(zip(positions, documents, strict=True))
        for position, request in enumerate(requests):
            if request.error is not None:
                yield json_line({"user_id": request.name, "error": request.error}), False
            elif request.unknown is None:
                yield json_line(found[position]), True
            else:
                yield json_line({**found[position], "unknown": request.unknown}), True
