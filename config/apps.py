"""The last app to become ready: by then every context has registered its routines, which beat is to run."""

from datetime import timedelta

from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_save


class Wiring(AppConfig):
    """Gives Celery's beat the sweep and every context's routines, and connects the contexts' ports."""

    name = "config"

    def ready(self) -> None:
        from config import checks, invariants  # noqa: F401 - registers checks, and the invariants across contexts
        from config.celery import app
        from config.garbage import keep_what_is_there
        from config.ports import connect_ports
        from config.shop.people import admit_operator_to_new_context
        from config.tracing import start_traces
        from integration.messaging.routines import routines
        from integration.messaging.wakeups import queue_of

        def entry(task: str, args: list[str], every: timedelta, queue: str) -> dict[str, object]:
            # Without `expires`: Celery would compare the clocks of two machines. Workers drop what is repeated.
            return {"task": task, "args": args, "schedule": every.total_seconds(), "options": {"queue": queue}}

        app.conf.beat_schedule = {
            "sweep": entry("waybill.sweep", [], settings.SWEEP_EVERY, queue_of("integration")),
            **{
                name: entry("waybill.run", [name], routine.interval, queue_of(routine.context))
                for name, routine in routines.items()
            },
        }
        connect_ports()
        if settings.TRACES_URL:
            start_traces(settings.TRACES_URL)
        post_save.connect(admit_operator_to_new_context, sender="auth.Group")
        keep_what_is_there()
