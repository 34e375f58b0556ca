"""Stable wire names identify what is stored in a table or sent through a broker.

A wire name does not depend on the layout of the code. A class or function may be renamed or moved while its wire name
stays, so that stored rows and messages keep their meaning. A wire name that must change keeps its former ones: what is
stored under them belongs to the same entry.
"""

from collections.abc import Iterable
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
        self._renamed: dict[str, str] = {}

    def add(self, name: str, entry: T, formerly: Iterable[str] = ()) -> None:
        """Register `entry` under `name`.

        Args:
            name: its wire name.
            entry: what to register.
            formerly: the wire names that it had before.

        Raises:
            ValueError: another entry has, or had, one of these names.
        """
        if name in self._renamed:
            raise ValueError(f"{name!r} is the former name of the {self.kind} {self._renamed[name]!r}")
        if self._by_name.setdefault(name, entry) is not entry:
            raise ValueError(f"two {self.kind}s are named {name!r}: {self._by_name[name]!r} and {entry!r}")
        for former in formerly:
            if former in self._by_name or self._renamed.setdefault(former, name) != name:
                raise ValueError(f"the {self.kind} {name!r} was not {former!r}: that is another {self.kind}")

    def get(self, name: str) -> T:
        """Return the entry that has or had this name; raises `UnknownName`."""
        try:
            return self._by_name[self._renamed.get(name, name)]
        except KeyError:
            raise UnknownName(f"no {self.kind} is named {name!r}") from None

    def __contains__(self, name: str) -> bool:
        return self._renamed.get(name, name) in self._by_name

    @property
    def renamed(self) -> dict[str, str]:
        """Return the names of today by former name."""
        return dict(self._renamed)

    def items(self) -> list[tuple[str, T]]:
        """Return all names and entries, sorted by name."""
        return sorted(self._by_name.items())
