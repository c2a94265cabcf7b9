"""Text normalisation: markup removed, Unicode NFC, single spaces."""

import html

import pyarrow as pa
import pyarrow.compute as pc

_ENTITY = r"&(#[0-9]+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);"
# A tag starts with a letter, so that "I <3 you" and "a < b" stay unchanged.
_TAG = r"(?s)<!--.*?-->|</?[A-Za-z][^<>]*>"
_INVISIBLE = "[\u00ad\u200b\ufeff]"  # soft hyphen, zero-width space, byte order mark
_CONTROL = r"[\p{Cc}\x{FFFD}]"


def normalise(texts: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Decode HTML entities, remove tags, apply NFC, and replace control characters and runs of spaces by one space.

    Args:
        texts: string [n]; null counts as empty.

    Returns:
        string [n] without nulls.
    """
    filled = pc.fill_null(texts, "")
    encoded = pc.dictionary_encode(filled)
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    distinct = _decode_entities(encoded.dictionary)
    distinct = pc.replace_substring_regex(distinct, _TAG, " ")
    distinct = pc.utf8_normalize(distinct, "NFC")
    distinct = pc.replace_substring_regex(distinct, _INVISIBLE, "")
    distinct = pc.replace_substring_regex(distinct, _CONTROL, " ")
    distinct = pc.utf8_trim_whitespace(pc.replace_substring_regex(distinct, r"[\s\p{Z}]+", " "))
    return distinct.take(encoded.indices)


def _decode_entities(texts: pa.Array) -> pa.Array:
    """Decode HTML entities only in texts that contain some, which are few."""
    has_entity = pc.match_substring_regex(texts, _ENTITY)
    decoded = pa.array([html.unescape(text) for text in texts.filter(has_entity).to_pylist()], pa.string())
    return pc.replace_with_mask(texts, has_entity, decoded)
