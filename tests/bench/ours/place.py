"""Places orders by command, in a process that does nothing else."""

import random
import time
from typing import Any

import django

django.setup()

from django.db import connection  # noqa: E402

from ordering.commands import place_order  # noqa: E402
from tests.bench.ours.goods import ADDRESS, BUYERS, METHOD, buyer, sku  # noqa: E402
from tests.bench.processes import serve_calls  # noqa: E402

TIMEOUT = 60.0
POLL_INTERVAL = 0.001


def do(orders: int, lines: int, skus: int, one_for_all: bool = False) -> None:
    """Place orders.

    Args:
        orders, lines: the number of orders, and of lines of each.
        skus: the number of SKUs that the lines are spread over.
        one_for_all: whether one line of each order always has the same SKU.
    """
    for _ in range(orders):
        place(lines, skus, one_for_all)


def place(lines: int, skus: int, one_for_all: bool = False) -> str:
    """Place one order; returns its number."""
    wanted = random.sample(range(1, skus), lines - one_for_all) + [0] * one_for_all
    return place_order(buyer(random.randrange(BUYERS)), [(sku(i), 1) for i in wanted], ADDRESS, METHOD).number


def watch(orders: int, skus: int, pause: float) -> list[float]:
    """Place orders one at a time, with a pause between them.

    Returns:
        For each order, the seconds from the commit of placing until this connection sees the order confirmed.

    Raises:
        TimeoutError: an order was not confirmed in `TIMEOUT` seconds.
    """
    seconds: list[float] = []
    for _ in range(orders):
        time.sleep(pause)
        number = place(3, skus)
        began = time.perf_counter()
        # Polling costs the measured system CPU, and the baseline is not polled. So sleep for most of the expected time.
        time.sleep(0.8 * min(seconds, default=0.0))
        while not _is_confirmed(number):
            if time.perf_counter() - began > TIMEOUT:
                raise TimeoutError(f"{number} was not confirmed within {TIMEOUT:g} s")
            time.sleep(POLL_INTERVAL)
        seconds.append(time.perf_counter() - began)
    return seconds


def _is_confirmed(number: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT status FROM ordering_order WHERE number = %s", [number])
        return cursor.fetchone() == ("confirmed",)


def run(what: str = "do", **how: Any) -> Any:
    """Call `do` or `watch`, as `what` says."""
    return {"do": do, "watch": watch}[what](**how)


if __name__ == "__main__":
    serve_calls(run)
