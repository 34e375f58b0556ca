"""Joins inventory to the house."""

from integration.apps import Context


class Inventory(Context):
    """The context of stock and reservations."""

    name = "inventory"
