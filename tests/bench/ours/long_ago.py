"""Takes orders the whole way as the shop did long ago: the clock is moved back, and one process does all of it."""

import sys

import django

django.setup()

from integration.domain import clock  # noqa: E402
from integration.messaging.claim import due_lanes  # noqa: E402
from integration.messaging.deliver import deliver_due  # noqa: E402
from integration.read_models.follow import follow_all  # noqa: E402
from tests.bench.history import AGO  # noqa: E402
from tests.bench.ours.place import place  # noqa: E402


def take_orders(orders: int, skus: int) -> None:
    """Place them, and deliver until nothing is due."""
    with clock.moved(-AGO):
        for _ in range(orders):
            place(3, skus)
        while lanes := due_lanes():
            for lane in lanes:
                deliver_due(lane)
    follow_all()


if __name__ == "__main__":
    take_orders(int(sys.argv[1]), int(sys.argv[2]))
