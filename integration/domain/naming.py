"""Stable wire names: what is written to a table or sent through a broker is named by us, not by the code's layout.

A class or function may be renamed or moved; its wire name stays, so that nothing already stored is stranded.
"""

from typing import Generic, TypeVar

T = TypeVar("T")


class UnknownName(LookupError):
    """A stored wire name stands for nothing in this code."""


class WireNames(Generic[T]):
    """A two-way register of wire names and what they stand for.

    Args:
        kind: the word for its entries in error messages, such as `domain event`.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._by_name: dict[str, T] = {}

    def add(self, name: str, entry: T) -> None:
        """Give `entry` its name; raises `ValueError` if the name is taken by another."""
        if self._by_name.setdefault(name, entry) is not entry:
            raise ValueError(f"two {self.kind}s are named {name!r}: {self._by_name[name]!r} and {entry!r}")

    def get(self, name: str) -> T:
        """What the name stands for; raises `UnknownName`."""
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownName(f"no {self.kind} is named {name!r}") from None

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def items(self) -> list[tuple[str, T]]:
        """All names and entries, by name."""
        return sorted(self._by_name.items())
