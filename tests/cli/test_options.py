"""What `rank` is asked for on the command line."""

from pathlib import Path

import pytest

from interestrec.cli.options import rank_request
from interestrec.core.errors import UsageError
from interestrec.stages.run import RankRequest


def test_moments_users_and_shards_are_read() -> None:
    assert rank_request(None, None, None) == RankRequest()
    assert rank_request("1970-01-01T00:00:02", "all", "3/16") == RankRequest(2_000_000, None, (3, 16))
    assert rank_request("1970-01-01T01:00:00+01:00", "some.txt", None) == RankRequest(0, Path("some.txt"))
    now = rank_request("now", None, None).as_of
    assert now is not None
    assert now > 1_700_000_000_000_000


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("yesterday", None, None), "--as-of yesterday: expected now"),
        ((None, "some.txt", None), "--users needs --as-of"),
        ((None, None, "3"), "--shard 3: expected the part"),
        ((None, None, "a/b"), "--shard a/b"),
        ((None, None, "0/4"), "must be between 1 and 4"),
        ((None, None, "5/4"), "must be between 1 and 4"),
    ],
)
def test_what_cannot_be_read_is_refused(given: tuple[str | None, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        rank_request(*given)
