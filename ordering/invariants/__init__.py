"""Ordering's invariants: rules about orders, buyers and read models, each checked by one SQL query."""

from ordering.invariants import (  # noqa: F401 - registers them
    buyers,
    carts,
    order_board,
    orders,
    search,
    spend_and_sales,
    vouchers,
)
