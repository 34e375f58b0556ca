"""Ordering's invariants: rules about orders, buyers and read models, each checked by one SQL query."""

from ordering.invariants import buyers, carts, order_board, orders, spend_and_sales, vouchers  # noqa: F401 - registers them
