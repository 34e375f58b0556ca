"""A letter before it is rendered."""

from typing import NamedTuple


class Letter(NamedTuple):
    """The content of a letter, in one language.

    Args:
        kind: the kind of letter, under which it is stored that it was sent.
        subject: the subject, which is also the heading.
        paragraphs: what it says.
        rows: a table of two columns, such as goods and their price.
        link: a label and the address that it leads to.
        small_print: what the law demands, at the end.
    """

    kind: str
    subject: str
    paragraphs: tuple[str, ...]
    rows: tuple[tuple[str, str], ...] = ()
    link: tuple[str, str] | None = None
    small_print: tuple[str, ...] = ()
