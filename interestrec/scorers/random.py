"""Random: scores that depend only on the seed, the user id and the item id."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from interestrec.core import ragged
from interestrec.core.deferred_import import np
from interestrec.scorers.definition import AGAIN, NOTHING, ScorerDefinition
from interestrec.scorers.requests import Requests, user_rows

_GOLDEN = 0x9E3779B97F4A7C15


def id_hashes(ids: Sequence[str], seed: int) -> np.ndarray:
    """uint64 [ids]: a hash of each id, independent of the other ids and of their order."""
    key = seed.to_bytes(8, "little")
    digests = (hashlib.blake2b(name.encode(), digest_size=8, key=key).digest() for name in ids)
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def mix_hashes(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Combine two uint64 hashes into one by the finaliser of SplitMix64 (Steele et al. 2014)."""
    x = left * np.uint64(_GOLDEN) ^ right
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@dataclass(frozen=True)
class RandomScores:
    """Uniform scores in [0, 1) from hashes of user and item."""

    user_hash: np.ndarray  # uint64 [users]
    item_hash: np.ndarray  # uint64 [items]
    unknown_hash: np.ndarray  # uint64 [], of the empty id, for users who are not in the corpus

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items]"""
        return _uniform(mix_hashes(self._hashes(requests)[:, None], self.item_hash[None, :]))

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]"""
        user = ragged.repeat(offsets, self._hashes(requests))
        return _uniform(mix_hashes(user, self.item_hash[item]))

    def arrays(self) -> dict[str, np.ndarray]:
        """See StorableScorer."""
        return {"user_hash": self.user_hash, "item_hash": self.item_hash, "unknown_hash": self.unknown_hash}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See StorableScorer."""
        return cls(arrays["user_hash"], arrays["item_hash"], arrays["unknown_hash"])

    def _hashes(self, requests: Requests) -> np.ndarray:
        return user_rows(self.user_hash, requests.user, self.unknown_hash)


def fit(user_ids: Sequence[str], item_ids: Sequence[str], seed: int) -> RandomScores:
    """Hash the ids of all users and items."""
    return RandomScores(id_hashes(user_ids, seed), id_hashes(item_ids, seed), id_hashes([""], seed)[0, ...])


def _uniform(hashed: np.ndarray) -> np.ndarray:
    return (hashed >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)


DEFINITION = ScorerDefinition(
    fit=fit, scorer=RandomScores, fitted_on=NOTHING, follows=AGAIN, needs=("user_ids", "item_ids", "seed")
)
