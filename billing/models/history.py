"""Billing's history: its domain events are stored and never changed."""

from integration.history.entries import HistoryEntry


class History(HistoryEntry):
    """One domain event of billing."""
