"""Takes orders the whole way as the shop did long ago: the clock is moved back, and one process does all of it."""

import sys

import django

django.setup()

from integration.domain import clock  # noqa: E402
from tests.bench.history import AGO  # noqa: E402
from tests.bench.ours.furnish import take_orders  # noqa: E402

if __name__ == "__main__":
    with clock.moved(-AGO):
        take_orders(int(sys.argv[1]), int(sys.argv[2]))
