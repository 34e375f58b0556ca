"""Whenever X, then Y: inventory's reactions, found by being here.

`saga.py` is inventory's part of an order's way; every further rule is a file of its own.
"""
