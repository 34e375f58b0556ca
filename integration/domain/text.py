"""Text that people type: one normal form for what must be equal, and another for what a search finds."""

from unicodedata import combining, normalize

WITHOUT_ACCENT = {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "\u0131": "i", "\u03c2": "\u03c3"}
"""Letters that Unicode does not decompose, and what people type instead. Source: Unicode CLDR, Latin-ASCII."""
TWO_LETTERS = {"ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"}
_LETTERS = str.maketrans({**WITHOUT_ACCENT, **TWO_LETTERS})


def normalized(text: str) -> str:
    """Return text in Unicode's normal form NFKC, in which equal characters are equal however they were typed.

    Keyboards and systems differ: one sends `ë` as one code point, another as `e` and a combining diaeresis.
    """
    return normalize("NFKC", text)


def folded(text: str) -> str:
    """Return text without the differences that a search ignores: case, accents and compatible forms, in any script."""
    if text.isascii():
        return text.lower()
    letters = "".join(letter for letter in normalize("NFKD", text) if not combining(letter))
    return normalize("NFC", letters.casefold().translate(_LETTERS))
