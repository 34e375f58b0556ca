"""How a context joins the house: its policies are found by being there."""

from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from sqlite3 import SQLITE_LIMIT_VARIABLE_NUMBER
from typing import Any

from django.apps import AppConfig
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate


class Context(AppConfig):
    """A bounded context: its events, and every module in its `policies` folder, are imported at start.

    So a new rule is a new file, and whatever is stored of the context finds its class. So are its invariants, and its
    queries with the read models they keep.
    """

    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module(f"{self.name}.events")
        policies = import_module(f"{self.name}.policies")
        for module in sorted(iter_modules(policies.__path__), key=lambda module: module.name):
            import_module(f"{policies.__name__}.{module.name}")
        import_module(f"{self.name}.invariants")
        if find_spec(f"{self.name}.queries"):
            import_module(f"{self.name}.queries")
        post_migrate.connect(_ensure_group, sender=self)


class IntegrationConfig(AppConfig):
    """The app that owns messages and deliveries."""

    name = "integration"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # They register what they hold: checks, invariants and routines.
        from integration.history import append_only  # noqa: F401
        from integration.messaging import archive, checks, deliver, invariants, tasks  # noqa: F401
        from integration.rest import authentication, idempotency  # noqa: F401
        from integration.storage.indexes import drop_pattern_indexes

        post_migrate.connect(_ensure_group, sender=self)
        post_migrate.connect(drop_pattern_indexes)
        connection_created.connect(_lift_sqlite_parameter_limit)


def _ensure_group(sender: AppConfig, **kwargs: Any) -> None:
    """A group named after the app, with all its permissions: staff are let into a context by joining its group."""
    from django.contrib.auth.models import Group, Permission

    group, _ = Group.objects.get_or_create(name=sender.label)
    group.permissions.add(*Permission.objects.filter(content_type__app_label=sender.label))


def _lift_sqlite_parameter_limit(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Let SQLite take as many parameters in a statement as it was built for, instead of the 999 of long ago.

    With 999, the statements of an order would grow in number with its lines.
    """
    if connection.vendor == "sqlite":
        limit = connection.connection.getlimit(SQLITE_LIMIT_VARIABLE_NUMBER)
        connection.features.max_query_params = min(limit, 32_766)
