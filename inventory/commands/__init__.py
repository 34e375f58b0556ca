"""Inventory's commands: one function for each use case, each one unit of work."""

from inventory.commands.receiving import receive_delivery
from inventory.commands.reservations import (
    commit_reservation,
    lock_reservations,
    lock_reserved_stock,
    lock_stock,
    release_lines,
    release_reservation,
    reserve_stock,
    ship_reservation,
)
from inventory.commands.returns import lock_returned_stock, take_back
from inventory.commands.stock import (
    adjust_stock,
    clear_stock,
    count_stock,
    open_stock_item,
    quarantine_stock,
    receive_stock,
    stock_up,
    write_off_stock,
)

__all__ = [
    "adjust_stock",
    "clear_stock",
    "commit_reservation",
    "count_stock",
    "lock_reservations",
    "lock_reserved_stock",
    "lock_returned_stock",
    "lock_stock",
    "open_stock_item",
    "quarantine_stock",
    "receive_delivery",
    "receive_stock",
    "release_lines",
    "release_reservation",
    "reserve_stock",
    "ship_reservation",
    "stock_up",
    "take_back",
    "write_off_stock",
]
