"""Takes orders from placing to shipment in one process, with the clock moved back."""

import sys

import django

django.setup()

from integration.domain import clock  # noqa: E402
from tests.bench.history import AGE  # noqa: E402
from tests.bench.ours.set_up import take_orders  # noqa: E402

if __name__ == "__main__":
    with clock.moved(-AGE):
        take_orders(int(sys.argv[1]), int(sys.argv[2]))
