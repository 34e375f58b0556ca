"""The history of inventory, which is kept for good."""

from integration.history.entries import HistoryEntry


class History(HistoryEntry):
    """Every domain event of inventory."""
