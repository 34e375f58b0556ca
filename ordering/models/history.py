"""What happened in ordering is kept for good."""

from integration.history.entries import HistoryEntry


class History(HistoryEntry):
    """Every domain event of ordering."""
