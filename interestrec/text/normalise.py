"""Text normalisation: code and markup removed, Unicode NFC, single spaces."""

import html

import pyarrow as pa
import pyarrow.compute as pc

_ENTITY = r"&(#[0-9]+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);"
_MAX_DECODED = 3  # times that a text may have been escaped: `&amp;amp;` is common in feeds
# A tag starts with a letter, so that "I <3 you" and "a < b" stay unchanged.
_TAG = r"(?s)<!--.*?-->|</?[A-Za-z][^<>]*>"
_INVISIBLE = "[\u00ad\u200b\ufeff]"  # soft hyphen, zero-width space, byte order mark
_CONTROL = r"[\p{Cc}\x{FFFD}]"

# The content of a script or style element is no text. One that is cut off before its end reaches to the end of the
# text, provided that it looks like code: "How to use the <script> tag" is a title.
_CLOSED_CODE = r"(?is)<script\b[^<>]*>.*?</script\s*>|<style\b[^<>]*>.*?</style\s*>"
_OPEN_CODE = r"(?is)<(?:script|style)\b[^<>]*>[^<]*?(?:\{|=|\);).*$"
# Crawlers also leave code without its element. A text that begins as a program or a style sheet is one as a whole.
_BARE_SCRIPT = (
    r"(?s)^\s*(?:(?:var|let|const)\s+[\w$]+\s*=.*;"
    r"|\(?function\s*[\w$]*\s*\([^)]*\)\s*\{|(?:window|document)[.\[][\w.'\"\[\]]+\s*[=(].*[;)}]"
    r"|(?:jQuery|\$)\(\s*(?:document|window|function|['\"#.]).*\)).*$"
)
_SELECTOR = r"(?:[.#][\w-]+|(?:html|body|div|span|table|ul|li|img)\b)"
_BARE_STYLE = (
    rf"(?s)^\s*(?:{_SELECTOR}[\w\s.#,>:*()-]*\{{\s*[\w-]+\s*:[^{{}}]*\}}"
    r"|@(?:media|font-face|keyframes)\b[^{};]*\{).*$"
)
_CODE = (_CLOSED_CODE, _OPEN_CODE, _BARE_SCRIPT, _BARE_STYLE)


def normalise(texts: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Decode HTML entities, remove code and tags, apply NFC, and replace control characters and runs of spaces.

    Args:
        texts: string [n]; null counts as empty.

    Returns:
        string [n] without nulls.
    """
    encoded = _encoded(texts)
    distinct = _decode_entities(encoded.dictionary)
    if pc.any(_has_code(distinct)).as_py():
        for pattern in _CODE:
            distinct = pc.replace_substring_regex(distinct, pattern, " ")
    distinct = pc.replace_substring_regex(distinct, _TAG, " ")
    distinct = pc.utf8_normalize(distinct, "NFC")
    distinct = pc.replace_substring_regex(distinct, _INVISIBLE, "")
    distinct = pc.replace_substring_regex(distinct, _CONTROL, " ")
    distinct = pc.utf8_trim_whitespace(pc.replace_substring_regex(distinct, r"[\s\p{Z}]+", " "))
    return distinct.take(encoded.indices)


def has_code(texts: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return bool [n], whether `normalise` removes a script or a style sheet from a text."""
    encoded = _encoded(texts)
    return _has_code(_decode_entities(encoded.dictionary)).take(encoded.indices)


def _has_code(texts: pa.Array) -> pa.Array:
    found = pa.nulls(len(texts), pa.bool_()).fill_null(False)
    for pattern in _CODE:
        found = pc.or_(found, pc.match_substring_regex(texts, pattern))
    return found


def _encoded(texts: pa.ChunkedArray | pa.Array) -> pa.DictionaryArray:
    encoded = pc.dictionary_encode(pc.fill_null(texts, ""))
    return encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded


def _decode_entities(texts: pa.Array) -> pa.Array:
    """Decode HTML entities only in texts that contain some, which are few."""
    for _ in range(_MAX_DECODED):
        has_entity = pc.match_substring_regex(texts, _ENTITY)
        if not pc.any(has_entity).as_py():
            break
        decoded = pa.array([html.unescape(text) for text in texts.filter(has_entity).to_pylist()], pa.string())
        texts = pc.replace_with_mask(texts, has_entity, decoded)
    return texts
