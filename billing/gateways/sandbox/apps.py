"""The sandbox keeps its books in tables of its own."""

from django.apps import AppConfig


class Sandbox(AppConfig):
    """The pretended provider."""

    name = "billing.gateways.sandbox"
    label = "sandbox"
    default_auto_field = "django.db.models.BigAutoField"
