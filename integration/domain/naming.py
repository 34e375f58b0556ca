"""Stable wire names identify what is stored in a table or sent through a broker.

A wire name does not depend on the layout of the code. A class or function may be renamed or moved while its wire name
stays, so that stored rows and messages keep their meaning.
"""

from typing import Generic, TypeVar

T = TypeVar("T")


class UnknownName(LookupError):
    """A stored wire name is not registered in this code."""


class WireNames(Generic[T]):
    """A registry of entries by wire name.

    Args:
        kind: the word for an entry in error messages, such as `domain event`.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._by_name: dict[str, T] = {}

    def add(self, name: str, entry: T) -> None:
        """Register `entry` under `name`; raises `ValueError` if another entry has that name."""
        if self._by_name.setdefault(name, entry) is not entry:
            raise ValueError(f"two {self.kind}s are named {name!r}: {self._by_name[name]!r} and {entry!r}")

    def get(self, name: str) -> T:
        """Return the entry with this name; raises `UnknownName`."""
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownName(f"no {self.kind} is named {name!r}") from None

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def items(self) -> list[tuple[str, T]]:
        """Return all names and entries, sorted by name."""
        return sorted(self._by_name.items())
