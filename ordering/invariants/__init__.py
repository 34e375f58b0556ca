"""Ordering's invariants: rules about orders, buyers and read models, each checked by one SQL query."""

from ordering.invariants import buyers, order_board, orders, spend_and_sales  # noqa: F401 - registers their checks
