"""Scripts of characters, such as Latin, Cyrillic, Han or Thai, by the names that Unicode gives the characters."""

import unicodedata
from collections import Counter
from functools import cache

EMOJI = "Emoji and symbols"
# The first word of a character's name is its script, except for these words.
_SCRIPTS = {
    "CJK": "Han",
    "IDEOGRAPHIC": "Han",
    "VERTICAL": "Han",
    "KANGXI": "Han",
    "KATAKANA-HIRAGANA": "Katakana",
    "HENTAIGANA": "Hiragana",
    "FEMININE": "Latin",
    "MASCULINE": "Latin",
    "KELVIN": "Latin",
    "ANGSTROM": "Latin",
    "MICRO": "Greek",
    "OHM": "Greek",
    "MODIFIER": None,
    "MATHEMATICAL": EMOJI,
    "SCRIPT": EMOJI,
    "DOUBLE-STRUCK": EMOJI,
    "BLACK-LETTER": EMOJI,
}
_WIDTHS = ("FULLWIDTH", "HALFWIDTH")
_AGES = ("OLD", "NEW", "LINEAR", "SMALL", "MEETEI", "TAI", "PHAGS-PA")  # the script's name has a second word


def main_script(text: str) -> str | None:
    """Return the script of most letters of a text, the first of equals; None without any letter."""
    counts = Counter(script for character in text if (script := script_of(character)) not in (None, EMOJI))
    return max(counts, key=counts.__getitem__, default=None)


@cache
def script_of(character: str) -> str | None:
    """Return the script of a letter, `EMOJI` for a symbol that is no letter, None for marks, digits and punctuation."""
    category = unicodedata.category(character)
    if category == "So":
        return EMOJI
    if category[0] != "L":
        return None
    words = [word for word in unicodedata.name(character, "UNKNOWN").split() if word not in _WIDTHS]
    if words[0] in _SCRIPTS:
        return _SCRIPTS[words[0]]
    return " ".join(words[:2] if words[0] in _AGES else words[:1]).title()
