"""Publishes events, or sends no-op tasks, for a worker to handle."""

import django

django.setup()

from celery import current_app  # noqa: E402
from django.conf import settings  # noqa: E402

from integration.aggregates.unit_of_work import unit_of_work  # noqa: E402
from integration.messaging.publish import publish  # noqa: E402
from tests.bench.baselines.no_op import three, time_chains  # noqa: E402
from tests.bench.ours.consumer import Happened  # noqa: E402
from tests.bench.processes import serve_calls  # noqa: E402

IN_ONE_UNIT = 100


def do(events: int = 0, tasks: int = 0, chains: int = 0, pause: float = 0.0) -> list[float]:
    """Publish events, send no-op tasks, or run chains of three tasks, one at a time.

    Args:
        events, tasks, chains: the number of each.
        pause: seconds between two chains.

    Returns:
        The seconds that each chain took.
    """
    for start in range(0, events, IN_ONE_UNIT):
        with unit_of_work():
            for number in range(start, min(start + IN_ONE_UNIT, events)):
                publish(Happened(number))
    if tasks:
        with current_app.producer_pool.acquire() as producer:
            for _ in range(tasks):
                current_app.send_task(
                    "bench.no_op", queue=f"{settings.QUEUE_PREFIX}.integration", producer=producer, ignore_result=True
                )
    return time_chains(three, chains, pause) if chains else []


serve_calls(do)
