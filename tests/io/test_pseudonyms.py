"""Pseudonyms are HMAC-SHA256 by the published vectors, and tell nobody without the key who is who."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interestrec.io.pseudonyms import fingerprint, pseudonym

LONG = b"\xaa" * 131
# RFC 4231: key, data, HMAC-SHA-256 (case 5 is truncated there as ours is)
VECTORS = [
    (b"\x0b" * 20, "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (b"Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    (b"\x0c" * 20, "Test With Truncation", "a3b6167473100ee06e0c796c2955552b"),
    (
        LONG,
        "Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        LONG,
        "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be "
        "hashed before being used by the HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
]
KEYS = [b"k" * 32, b"l" * 32]


@pytest.mark.parametrize(("key", "name", "mac"), VECTORS)
def test_published_vectors(key: bytes, name: str, mac: str) -> None:
    assert pseudonym(key, name) == mac[:32]


def test_ids_do_not_collide_and_keys_share_no_pseudonym() -> None:
    ids = [f"u{number}" for number in range(50_000)]
    one, other = ({pseudonym(key, name) for name in ids} for key in KEYS)
    assert len(one) == len(other) == len(ids)
    assert not one & other


@given(st.text(), st.binary(min_size=32, max_size=80))
def test_a_pseudonym_is_a_function_of_id_and_key_and_no_plain_hash(name: str, key: bytes) -> None:
    found = pseudonym(key, name)
    assert found == pseudonym(key, name)
    assert found != pseudonym(key + b"x", name)
    assert found not in hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def test_fingerprints_tell_keys_apart_and_are_no_pseudonym_of_anyone() -> None:
    assert fingerprint(KEYS[0]) != fingerprint(KEYS[1])
    assert len(fingerprint(KEYS[0])) == 16
    assert not pseudonym(KEYS[0], "interestrec fingerprint").startswith(fingerprint(KEYS[0]))
