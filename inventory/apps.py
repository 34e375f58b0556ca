"""The Django app of inventory."""

from integration.apps import Context


class Inventory(Context):
    """The context that owns stock items and reservations."""

    name = "inventory"
