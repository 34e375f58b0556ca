"""Registers inventory as a context of Waybill."""

from integration.apps import Context


class Inventory(Context):
    """The context of stock and reservations."""

    name = "inventory"
