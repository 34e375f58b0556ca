"""The state machine over the whole system, with vouchers, holds, cancelled lines, lost parcels, returns, withdrawals.

At rest every invariant must hold, and the provider's books must equal ours. A usual run tries few examples, because
each costs a second; the profile chaos tries many.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import multiple, rule, run_state_machine_as_test

from billing.reconciliation import reconcile
from config.verification import verify
from fulfillment.models import Return
from integration.domain import clock
from integration.domain.errors import Refused
from integration.domain.identifiers import HoldId, OrderNumber
from integration.messaging.models import Delivery, Status
from ordering.commands import lift_hold
from ordering.models import Order
from tests.chaos.flows import ADDRESS, World
from tests.chaos.test_system_machine import LONGER, SystemMachine, shop  # noqa: F401 - a fixture

SKUS = st.sampled_from(["MUG", "LAMP", "RELIC"])
DISPOSITIONS = st.sampled_from(["restock", "quarantine", "write_off", "missing"])
DONE_OR_REFUSED = (200, 201, 202, 404, 409, 422)


class AftercareMachine(SystemMachine):
    """Compares the contexts with each other; it has no model of its own."""

    worlds = SystemMachine.worlds

    def request(self, world: World, path: str, body: dict[str, Any], by: str = "buyer") -> None:
        """Send a request about an order, which may be refused."""
        response = world.post(path, body, by=by)
        assert response.status_code in DONE_OR_REFUSED, response.content

    @rule(target=worlds, units=st.integers(1, 2))
    def place_an_order_with_a_voucher(self, units: int) -> Any:
        """Place an order with a voucher that few orders may use; without one if it is used up."""
        self.placed += 1
        world = World(f"v{self.placed}")
        body = {"lines": [{"sku": "MUG", "quantity": units}], "shipping_address": ADDRESS}
        response = world.post("/orders", {**body, "payment_method": "pm_card_visa", "vouchers": ["FEW"]})
        assert response.status_code in (201, 409), response.content
        world.order = response.data.get("number", "")
        return world if world.order else multiple()

    @rule(world=worlds, sku=SKUS, units=st.integers(1, 2))
    def cancel_lines(self, world: World, sku: str, units: int) -> None:
        assert world.cancel({sku: units}).status_code in DONE_OR_REFUSED

    @rule(world=worlds)
    def hold(self, world: World) -> None:
        self.request(world, f"/orders/{world.order}/holds", {"reason": "fraud_risk"}, "operator")

    @rule(world=worlds)
    def lift_all_holds(self, world: World) -> None:
        for hold in Order.objects.get(pk=world.order).order_holds or {}:
            with suppress(Refused):
                lift_hold(OrderNumber(world.order), HoldId(hold))

    @rule(world=worlds, sku=st.none() | SKUS)
    def withdraw(self, world: World, sku: str | None) -> None:
        body = {"lines": [{"sku": sku, "quantity": 1}]} if sku else {}
        self.request(world, f"/orders/{world.order}/withdraw", body)

    @rule(world=worlds, what=st.sampled_from(["fail", "return-to-sender", "lose"]))
    def report(self, world: World, what: str) -> None:
        assert world.report(what).status_code in DONE_OR_REFUSED

    @rule(world=worlds, resolution=st.sampled_from(["refund", "send_again"]))
    def resolve(self, world: World, resolution: str) -> None:
        assert world.report("resolve", {"as": resolution}).status_code in DONE_OR_REFUSED

    @rule(world=worlds, sku=SKUS, units=st.integers(1, 2))
    def ask_for_a_return(self, world: World, sku: str, units: int) -> None:
        lines = [{"sku": sku, "quantity": units, "reason": "damaged"}]
        self.request(world, "/returns", {"order": world.order, "lines": lines})

    @rule(world=worlds, is_approved=st.booleans(), disposition=DISPOSITIONS)
    def go_on_with_returns(self, world: World, is_approved: bool, disposition: str) -> None:
        """Approve, refuse or receive each return of the order; a unit of each line at a time."""
        for found in Return.objects.filter(order=world.order).order_by("pk"):
            path = f"/returns/{found.id}"
            if found.status == "requested":
                step, body = ("approve", {}) if is_approved else ("refuse", {"reason": "used"})
                self.request(world, f"{path}/{step}", body, "operator")
            elif found.expected:
                lines = [{"sku": sku, "quantity": 1, "disposition": disposition} for sku in sorted(found.expected)]
                self.request(world, f"{path}/receive", {"lines": lines}, "operator")

    def judge(self) -> None:
        assert [str(dead) for dead in Delivery.objects.filter(status=Status.DEAD)] == []
        wrong = {name: found.complaints for name, found in verify().items() if found.complaints}
        assert not wrong, wrong
        with clock.moved(timedelta(hours=1)):
            books = reconcile(clock.now() - timedelta(days=7))
            assert (books.repaired, books.discrepancies) == ([], {})


@pytest.mark.usefixtures("shop")
def test_all_contexts_agree_whatever_becomes_of_orders(record_property: Callable[[str, object], None]) -> None:
    before = SystemMachine.examples
    run_state_machine_as_test(
        AftercareMachine,
        settings=settings(
            max_examples=2 if LONGER == 1 else 200,
            stateful_step_count=20 if LONGER == 1 else 60,
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    record_property("examples", SystemMachine.examples - before)
