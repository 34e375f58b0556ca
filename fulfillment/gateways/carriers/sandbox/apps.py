"""The Django app of the sandbox carrier, which has a table of its own."""

from django.apps import AppConfig


class SandboxCarrier(AppConfig):
    """The built-in carrier."""

    name = "fulfillment.gateways.carriers.sandbox"
    label = "sandbox_carrier"
    default_auto_field = "django.db.models.BigAutoField"
