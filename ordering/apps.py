"""The Django app of ordering."""

from django.conf import settings

from integration.apps import Context


class Ordering(Context):
    """The context that owns products, buyers and orders."""

    name = "ordering"

    def ready(self) -> None:
        super().ready()
        if settings.EMAIL_BACKEND.startswith("anymail."):
            from ordering.api.mail_reports import connect_reports

            connect_reports()
