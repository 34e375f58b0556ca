"""Runs the embedded mode in one process: worker and beat are threads, and the main thread places orders."""

import time

import django

django.setup()

from config.embedded import Embedded  # noqa: E402
from fulfillment.models import Shipment  # noqa: E402
from integration.messaging.models import Delivery, Status  # noqa: E402
from tests.bench.ours.place import do as place_all  # noqa: E402
from tests.bench.processes import serve_calls  # noqa: E402

TIMEOUT = 300.0


class NotAllShipped(RuntimeError):
    """No delivery is pending but orders lack a shipment, so the measurement was not of the whole flow."""


def do(orders: int, lines: int, skus: int) -> None:
    """Place orders, and wait until no delivery is pending and each order has its shipment.

    Raises `TimeoutError` or `NotAllShipped`.
    """
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
serve_calls(do)
