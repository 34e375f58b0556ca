"""The three things a worker can be asked for over the broker; each does only what is due, so a forged or doubled one is
harmless."""

from datetime import timedelta

from celery import shared_task
from celery.signals import task_prerun
from django.db import close_old_connections

from integration.messaging import routines as routines_module
from integration.messaging.claim import due_delivery_queues
from integration.messaging.deliver import deliver_onward
from integration.messaging.wakeups import DeliveryQueue, clear_wakeups, wake
from integration.read_models.catch_up import catch_up_all


@shared_task(name="waybill.deliver", ignore_result=True)
def deliver(context: str, external: bool) -> None:
    """Handle what is due for one context, and what follows from it."""
    delivery_queue = DeliveryQueue(str(context), bool(external))
    clear_wakeups([delivery_queue])
    deliver_onward(delivery_queue)


@shared_task(name="waybill.sweep", ignore_result=True)
def sweep() -> None:
    """Wake a worker for whatever is due: what a crash, a flushed or an unreachable broker left behind, and retries."""
    delivery_queues = due_delivery_queues()
    clear_wakeups(delivery_queues)  # in the place of a worker that was rung for and never came
    wake(delivery_queues)


@shared_task(name="waybill.run", ignore_result=True)
def run(routine: str) -> None:
    """Run a routine by its wire name; raises `UnknownName`."""
    routines_module.routines.get(routine).run()


# By time, not by wake-up: a batch costs little more than one event.
routines_module.register(routines_module.Routine("integration.follow-read-models", timedelta(seconds=1), catch_up_all))


@task_prerun.connect
def begin_with_a_live_connection(**kwargs: object) -> None:
    """Let go of a database connection that broke or grew old since the last task."""
    close_old_connections()
