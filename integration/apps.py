"""App configurations: how a context joins the system. Its policies are found by importing every module of a folder."""

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
    """A bounded context: at start, its events and every module in its `policies` folder are imported.

    So a new rule is a new file, and every stored wire name of the context finds its class. Its invariants are imported
    too, and so are its queries, which register its read models, and its roles.
    """

    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module(f"{self.name}.events")
        policies = import_module(f"{self.name}.policies")
        for module in sorted(iter_modules(policies.__path__), key=lambda module: module.name):
            import_module(f"{policies.__name__}.{module.name}")
        import_module(f"{self.name}.invariants")
        for optional in ("queries", "roles"):
            if find_spec(f"{self.name}.{optional}"):
                import_module(f"{self.name}.{optional}")
        post_migrate.connect(_ensure_group, sender=self)


class IntegrationConfig(AppConfig):
    """The app that owns messages and deliveries."""

    name = "integration"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Importing these modules registers their checks, invariants and routines.
        from integration.aggregates import checks as state_tables  # noqa: F401
        from integration.aggregates import invariants as rows_and_histories  # noqa: F401
        from integration.history import append_only  # noqa: F401
        from integration.messaging import archive, back_off, checks, deliver, invariants, tasks  # noqa: F401
        from integration.messaging.renaming import rename_stored
        from integration.rest import authentication, idempotency, login_attempts  # noqa: F401
        from integration.roles import fill_groups
        from integration.storage import folding  # noqa: F401
        from integration.storage.indexes import drop_pattern_indexes
        from integration.storage.text_indexes import make_text_indexes
        from integration.webhooks import broker, notices, retention, sending  # noqa: F401
        from integration.webhooks import checks as wanted_events  # noqa: F401
        from integration.webhooks import invariants as webhooks  # noqa: F401

        post_migrate.connect(_ensure_group, sender=self)
        post_migrate.connect(fill_groups)
        post_migrate.connect(drop_pattern_indexes)
        post_migrate.connect(make_text_indexes)
        post_migrate.connect(rename_stored, sender=self)
        connection_created.connect(_lift_sqlite_parameter_limit)


def _ensure_group(sender: AppConfig, **kwargs: Any) -> None:
    """Create a group named after the app, with all its permissions; staff get access to a context by joining its
    group."""
    from django.contrib.auth.models import Group, Permission

    group, _ = Group.objects.get_or_create(name=sender.label)
    group.permissions.add(*Permission.objects.filter(content_type__app_label=sender.label))


def _lift_sqlite_parameter_limit(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Use the number of parameters per statement that SQLite was built for, not Django's old limit of 999.

    With 999, an order with many lines would need more statements.
    """
    if connection.vendor == "sqlite":
        limit = connection.connection.getlimit(SQLITE_LIMIT_VARIABLE_NUMBER)
        connection.features.max_query_params = min(limit, 32_766)
