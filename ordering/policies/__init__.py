"""Whenever X, then Y: ordering's reactions, found by being here.

`saga.py` is ordering's part of an order's way; every further rule is a file of its own.
"""
