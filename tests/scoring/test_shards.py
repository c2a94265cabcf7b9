"""Whose lists are asked for."""

from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from interestrec.core.errors import DataError
from interestrec.io.pseudonyms import pseudonym
from interestrec.scoring.shards import user_rows


def test_users_in_a_file_are_found_by_their_pseudonyms_and_quoted_in_no_error(tmp_path: Path) -> None:
    key = b"k" * 32
    known = pa.chunked_array([[pseudonym(key, "u1"), pseudonym(key, "u2")]])
    file = tmp_path / "users.txt"
    file.write_text("u2\n\nu1\n")
    named = partial(pseudonym, key)
    np.testing.assert_array_equal(user_rows(file, known, named), [1, 0])
    file.write_text("u2\nRAWUSER-1\n")
    with pytest.raises(DataError, match=r"users.txt:2: no such user in the corpus; 1 such") as caught:
        user_rows(file, known, named)
    assert "RAWUSER" not in str(caught.value)
