"""Aggregates: how they are loaded, changed, saved, looked at in the past, checked against their history, and erased."""
