"""The Django app of fulfillment."""

from integration.apps import Context


class Fulfillment(Context):
    """The context that owns shipments."""

    name = "fulfillment"
