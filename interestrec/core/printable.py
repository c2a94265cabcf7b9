"""Sanitising of text for terminals."""


def printable(text: str) -> str:
    """Replace each character that is not printable, except line ends, by a space.

    This disables escape sequences and bidirectional controls, and removes lone surrogates, which cannot be encoded.
    """
    return "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text)
