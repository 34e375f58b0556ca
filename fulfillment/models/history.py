"""The log of fulfillment's domain events."""

from integration.history.entries import HistoryEntry


class History(HistoryEntry):
    """One domain event of fulfillment."""
