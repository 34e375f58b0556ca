"""The Django app of billing."""

from integration.apps import Context


class Billing(Context):
    """The context that owns invoices, payments and refunds."""

    name = "billing"
