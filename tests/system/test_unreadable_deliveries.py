"""New orders do not wait for deliveries that no build can read, and those wait without an attempt."""

from collections.abc import Callable

import pytest
from django.conf import settings
from running_system import ROOT, System, eventually
from unreadable import COUNT_PARKED, making

pytestmark = pytest.mark.system

MANY = 2_000 if settings.EMBEDDED else 20_000
MUG = "MUG-ENAMEL-CREAM"


def test_new_orders_go_on_although_thousands_are_parked_and_replayed(system_to_break: Callable[..., System]) -> None:
    system = system_to_break()
    buyer = system.visitor.log_in("buyer", "buyer")

    def go_on_until_all_are_parked() -> None:
        for _ in range(3):
            buyer.order_once(buyer.place({MUG: 1}), "confirmed")
        eventually(lambda: system.read(COUNT_PARKED)[0][0], lambda parked: parked == MANY, "all of them parked")

    system.execute(*making(MANY, system.is_on_postgresql))
    go_on_until_all_are_parked()
    assert f"{MANY // 3:,}" in system.run(ROOT, "deliveries")

    system.run(ROOT, "deliveries", "replay", "--status", "pending")
    go_on_until_all_are_parked()
    assert "Traceback" not in "".join(system.output.values())
