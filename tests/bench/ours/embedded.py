"""The embedded mode in one process, worker and beat as its threads, with the hand that places the orders."""

import time

import django

django.setup()

from config.embedded import Embedded  # noqa: E402
from fulfillment.models import Shipment  # noqa: E402
from integration.messaging.models import Delivery, Status  # noqa: E402
from tests.bench.crew import work  # noqa: E402
from tests.bench.ours.place import do as place_all  # noqa: E402

TIMEOUT = 300.0


class NotAllShipped(RuntimeError):
    """Orders came to rest without a shipment, so what was measured was not the whole flow."""


def do(orders: int, lines: int, skus: int) -> None:
    """Place orders, and wait until all of them have their shipments and nothing is left to be delivered."""
    before, give_up_at = Shipment.objects.count(), time.monotonic() + TIMEOUT
    place_all(orders, lines, skus)
    while Delivery.objects.filter(status=Status.PENDING).exists():
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"deliveries were still pending after {TIMEOUT:g} s")
        time.sleep(0.01)
    arranged = Shipment.objects.count() - before
    if arranged != orders:
        raise NotAllShipped(f"{arranged} of {orders}")


Embedded().start()
work(do)
