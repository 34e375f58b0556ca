"""The Django app of ordering."""

from integration.apps import Context


class Ordering(Context):
    """The context that owns products, buyers and orders."""

    name = "ordering"
