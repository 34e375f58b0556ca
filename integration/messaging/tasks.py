"""The three tasks that a worker runs on request of the broker.

Each does only work that is due, so a forged or duplicate task message does no harm.
"""

from datetime import timedelta

from celery import shared_task
from celery.signals import task_prerun
from django.db import close_old_connections

from integration.domain import clock
from integration.logs import log_task
from integration.messaging import deliver as deliver_module
from integration.messaging import routines as routines_module
from integration.messaging.call_threads import call_threads
from integration.messaging.claim import due_delivery_queues
from integration.messaging.deliver import deliver_onward
from integration.messaging.heartbeat import SWEEP, note_heartbeat
from integration.messaging.wakeups import DeliveryQueue, clear_wakeups, wake
from integration.read_models.builds import delete_abandoned
from integration.read_models.catch_up import catch_up_all
from integration.storage.limits import TASK, limited


@shared_task(name="waybill.deliver", ignore_result=True)
@limited(TASK)
def deliver(context: str, external: bool) -> None:
    """Handle the due deliveries of one delivery queue, and those that this work makes due."""
    delivery_queue = DeliveryQueue(str(context), bool(external))
    clear_wakeups([delivery_queue])
    deliver_onward(delivery_queue)


@shared_task(name="waybill.sweep", ignore_result=True)
@limited(TASK)
def sweep() -> None:
    """Wake a worker for each delivery queue with due deliveries.

    The sweep finds retries, and deliveries whose wake-up was lost: in a crash, in a flush of Redis, or because the
    broker was unreachable.
    """
    began = clock.stopwatch()
    note_heartbeat(SWEEP)
    delivery_queues = due_delivery_queues()
    clear_wakeups(delivery_queues)  # a worker would do this, but its wake-up may have been lost
    wake(delivery_queues)
    log_task("waybill.sweep", clock.stopwatch() - began)


@shared_task(name="waybill.run", ignore_result=True)
@limited(TASK)
def run(routine: str) -> None:
    """Run a routine by its wire name; raises `UnknownName`."""
    found = routines_module.routines.get(routine)
    began = clock.stopwatch()
    if found.external and deliver_module.CALLS_HAVE_THREADS:
        call_threads.run(found.name, found.run, most=1)  # while it hangs, it does not begin again
    else:
        found.run()
    log_task("waybill.run", clock.stopwatch() - began, routine=found.name)


# At an interval, not by wake-up: a batch of events costs little more than a single event.
routines_module.register(routines_module.Routine("integration.follow-read-models", timedelta(seconds=1), catch_up_all))
routines_module.register(
    routines_module.Routine("integration.delete-abandoned-builds", timedelta(hours=1), delete_abandoned)
)


@task_prerun.connect
def begin_with_a_live_connection(**kwargs: object) -> None:
    """Close a database connection that broke or became too old since the last task."""
    close_old_connections()
