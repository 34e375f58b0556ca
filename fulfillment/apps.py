"""Joins fulfillment to the house."""

from integration.apps import Context


class Fulfillment(Context):
    """The context of shipments."""

    name = "fulfillment"
