"""Fulfillment's reactions to events. The app imports every module of this folder at start.

`saga.py` holds fulfillment's part of the order process. Each other rule has a file of its own.
"""
