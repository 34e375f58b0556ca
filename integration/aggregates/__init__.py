"""Aggregates: loading, changing, saving and erasing them, and comparing them with their history."""
