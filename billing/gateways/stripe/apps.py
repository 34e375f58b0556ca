"""The Django app of Stripe, which has a table of its own."""

from django.apps import AppConfig


class Stripe(AppConfig):
    """Stripe as the payment provider."""

    name = "billing.gateways.stripe"
    label = "stripe"
    default_auto_field = "django.db.models.BigAutoField"
