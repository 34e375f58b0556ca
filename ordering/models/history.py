"""What happened in ordering is kept for good."""

from integration.domain.history import HistoryEntry


class History(HistoryEntry):
    """Every domain event of ordering."""
