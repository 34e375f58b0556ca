"""Inventory's commands: one function for each use case, each one unit of work."""

from inventory.commands.reservations import (
    commit_reservation,
    lock_reservations,
    lock_reserved_stock,
    lock_stock,
    release_reservation,
    reserve_stock,
    ship_reservation,
)
from inventory.commands.stock import (
    adjust_stock,
    clear_stock,
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
    "lock_reservations",
    "lock_reserved_stock",
    "lock_stock",
    "open_stock_item",
    "quarantine_stock",
    "receive_stock",
    "release_reservation",
    "reserve_stock",
    "ship_reservation",
    "stock_up",
    "write_off_stock",
]
