"""What one fault, load or outage did, and what did not hold."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Outcome:
    """What a fault did, as named numbers, and what did not hold, as sentences.

    Args:
        healed: the seconds from the end of an outage until all was done; None if nothing had to heal.
    """

    n: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    healed: float | None = None

    def require(self, holds: bool, otherwise: str) -> None:
        """Add the sentence `otherwise` unless `holds`."""
        if not holds:
            self.wrong.append(otherwise)
