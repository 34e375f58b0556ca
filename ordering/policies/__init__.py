"""Policies of ordering: its reactions to events. Every module in this folder is imported at start-up.

`saga.py` holds the reactions of the order saga; every further rule is a module of its own.
"""
