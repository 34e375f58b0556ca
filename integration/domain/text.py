"""Text that people type: one normal form for what must be equal."""

from unicodedata import normalize


def normalized(text: str) -> str:
    """Return text in Unicode's normal form NFKC, in which equal characters are equal however they were typed.

    Keyboards and systems differ: one sends `ë` as one code point, another as `e` and a combining diaeresis.
    """
    return normalize("NFKC", text)
