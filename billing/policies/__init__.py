"""Whenever X, then Y: billing's reactions, found by being here.

`saga.py` is billing's part of an order's way; every further rule is a file of its own.
"""
