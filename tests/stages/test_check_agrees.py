"""`check` and `preprocess` say the same of a raw file, whole or broken."""

from pathlib import Path

import pytest

from interestrec.core.errors import InterestrecError
from interestrec.stages.check import check
from interestrec.stages.preprocess import run
from interestrec.stages.run import RunContext
from tests.formats.test_corruptions import CASES, TOLERANT, damaged

pytestmark = pytest.mark.slow


# The two limits of bad rows in turn, so that every damage meets both, each in other kinds of files.
@pytest.mark.parametrize(("seed", "kind", "damage"), [(2_000 + n, *case) for n, case in enumerate(CASES)])
def test_the_same_error_or_none(tmp_path: Path, tiny_encoder: Path, seed: int, kind: str, damage: str) -> None:
    settings = damaged(tmp_path, kind, damage, seed, tiny_encoder)[(0, TOLERANT)[seed % 2]]
    errors = [finding.error for finding in check(settings, 1_000) if finding.error is not None]
    try:
        run(RunContext(settings))
    except InterestrecError as error:
        assert errors, error
        assert (errors[0].exit_status, str(errors[0])) == (error.exit_status, str(error))
    else:
        assert errors == []
