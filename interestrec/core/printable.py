"""Text that is shown to people: what a log says steers no terminal."""


def printable(text: str) -> str:
    """The text with a space for each character that is not printable, ends of line excepted.

    Escape sequences, changes of writing direction and lone surrogates are no longer what they were.
    """
    return "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text)
