"""The Django app of the sandbox, which has a table of its own."""

from django.apps import AppConfig


class Sandbox(AppConfig):
    """The built-in payment provider."""

    name = "billing.gateways.sandbox"
    label = "sandbox"
    default_auto_field = "django.db.models.BigAutoField"
