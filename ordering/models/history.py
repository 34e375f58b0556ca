"""The history table of ordering, which is append-only."""

from integration.history.entries import HistoryEntry


class History(HistoryEntry):
    """Every domain event of ordering."""
