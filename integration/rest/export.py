"""What the system holds on a buyer, for a copy that they can ask for. Each context adds what it has.

Source: Regulation (EU) 2016/679 (GDPR), articles 15 and 20.
"""

from collections.abc import Callable, Sequence
from typing import Any

from integration.domain.identifiers import BuyerId, OrderNumber

Part = Callable[[BuyerId, Sequence[OrderNumber]], Any]
"""Returns what a context holds on a buyer and on these orders of theirs, as it becomes JSON."""

_parts: dict[str, Part] = {}


def exports(name: str) -> Callable[[Part], Part]:
    """Register a part of the copy under the name of its field.

    It holds the buyer's own data only: nothing of other buyers, and no names of staff.
    """

    def register(part: Part) -> Part:
        _parts[name] = part
        return part

    return register


def exported(buyer: BuyerId, orders: Sequence[OrderNumber]) -> dict[str, Any]:
    """All parts, by name."""
    return {name: part(buyer, orders) for name, part in sorted(_parts.items())}
