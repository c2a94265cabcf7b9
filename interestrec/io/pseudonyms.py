"""Pseudonyms of ids: keyed, so that nobody without the key can guess an id and check it (ENISA 2019, 5.1.2)."""

import hmac

_FINGERPRINT = b"\xffinterestrec fingerprint"  # not UTF-8, so it is the text of no id


def pseudonym(key: bytes, name: str) -> str:
    """The first half of HMAC-SHA256 (RFC 2104) of an id's UTF-8 under the key, as 32 hexadecimal digits.

    128 bits are enough: among a thousand million ids two collide with a chance of 1.5e-21. The other half would only
    be written again with every row of a ranking. Truncation is that of RFC 2104, section 5.
    """
    return hmac.digest(key, name.encode("utf-8", "surrogatepass"), "sha256").hex()[:32]


def fingerprint(key: bytes) -> str:
    """What tells keys apart and betrays none: 16 hexadecimal digits for an artifact's recipe."""
    return hmac.digest(key, _FINGERPRINT, "sha256").hex()[:16]
