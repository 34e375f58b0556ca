"""Registers ordering as a context of Waybill."""

from integration.apps import Context


class Ordering(Context):
    """The context of products, buyers and orders."""

    name = "ordering"
