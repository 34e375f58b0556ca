"""Joins billing to the house."""

from integration.apps import Context


class Billing(Context):
    """The context of invoices, payments and refunds."""

    name = "billing"
