"""Whenever X, then Y: fulfillment's reactions, found by being here.

`saga.py` is fulfillment's part of an order's way; every further rule is a file of its own.
"""
