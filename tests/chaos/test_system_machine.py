"""A Hypothesis state machine over the database: orders, stock, money and shipments agree after any sequence of events.

Hypothesis draws requests, single deliveries by two workers that may die, call-backs, failures of the provider, routines
and the passing of time. It shrinks a failure to the shortest sequence that shows it.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings as django_settings
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from rest_framework.test import APIClient

from billing import commands as billing
from billing.gateways.sandbox.adapter import adapter
from billing.gateways.sandbox.models import Transaction
from billing.models import Invoice, MoreThanIsLeft, invoice_of
from billing.reconciliation import reconcile
from config.verification import verify
from integration.domain import clock
from integration.domain.errors import NotFound
from integration.domain.identifiers import OrderNumber, Sku
from integration.domain.money import Money
from integration.domain.states import NotAllowed
from integration.messaging.claim import due_delivery_queues
from integration.messaging.dead_letters import replay
from integration.messaging.models import Delivery, Status
from integration.messaging.routines import routines
from integration.read_models.catch_up import catch_up_all
from inventory import commands as inventory
from inventory.models import StockItem
from ordering.models import CONFIRMED_STATES, Order, OrderLine
from tests.chaos import planted_bugs
from tests.chaos.flows import World, drain, open_shop
from tests.chaos.scenario import Worker

RELICS = 3
LONGER = 1 if settings.get_current_profile_name() != "chaos" else 20
"""The factor for the number of examples."""


class SystemMachine(RuleBasedStateMachine):
    """Compares the contexts with a model: the number of relics in stock at first, and the provider's books."""

    worlds: Bundle = Bundle("worlds")
    examples = 0

    @initialize()
    def open(self) -> None:
        self.undo = ExitStack()
        self.undo.enter_context(transaction.atomic())
        self.undo.callback(transaction.set_rollback, True)
        self.undo.enter_context(clock.standing_at(datetime(2026, 1, 5, 8, tzinfo=UTC)))
        self.undo.callback(setattr, django_settings, "SANDBOX_FAILURE_RATE", django_settings.SANDBOX_FAILURE_RATE)
        self.api = APIClient(HTTP_HOST="localhost")
        inventory.stock_up([(Sku("RELIC"), RELICS)])
        self.workers = [Worker(lambda n: 0), Worker(lambda n: 0)]
        self.placed = self.written_off = 0
        self.operator = World("operator")

    @rule(to=st.sampled_from(["quarantine", "sellable", "written_off"]))
    def move_a_relic_to_or_from_quarantine(self, to: str) -> None:
        relic = StockItem.objects.get(pk="RELIC")
        if to == "quarantine":
            if relic.available:
                inventory.quarantine_stock(Sku("RELIC"), 1, "box damaged")
            return
        body = {"quantity": 1, "to": to, "reason": "looked at"}
        status = self.operator.post("/stock/RELIC/quarantine", body, by="operator").status_code
        assert status == (201 if relic.quarantined else 409)
        self.written_off += to == "written_off" and status == 201

    @rule(
        target=worlds,
        lines=st.dictionaries(st.sampled_from(["MUG", "LAMP", "RELIC", "LEAFLET"]), st.integers(1, 2), min_size=1),
        method=st.sampled_from(["pm_card_visa", "pm_card_visa", "pm_card_chargeDeclined"]),
    )
    def place_an_order(self, lines: dict[str, int], method: str) -> World:
        self.placed += 1
        world = World(f"w{self.placed}")
        world.place(lines, method)
        return world

    @rule(which=st.integers(0, 1), data=st.data(), steps=st.integers(1, 6), dies=st.booleans())
    def let_a_worker_work(self, which: int, data: st.DataObject, steps: int, dies: bool) -> None:
        worker = self.workers[which]
        worker.pick = lambda n: data.draw(st.integers(0, n - 1)) if n > 1 else 0
        worker.crash_at = worker.steps + steps if dies else None
        for _ in range(steps):
            worker(sorted(due_delivery_queues()))

    @rule(seconds=st.sampled_from([1, 9, 70, 1_900]))
    def let_time_pass(self, seconds: int) -> None:
        clock.advance(timedelta(seconds=seconds))

    @rule()
    def cancel_overdue_orders(self) -> None:
        routines.get("ordering.cancel-overdue-orders").run()

    @rule(world=worlds, what=st.sampled_from(["cancel", "dispatch", "deliver"]))
    def send_a_request(self, world: World, what: str) -> None:
        assert getattr(world, what)().status_code in (200, 202, 404, 409)

    @rule(world=worlds, cents=st.sampled_from([1, 900, 1_250, 100_000]))
    def refund_in_part(self, world: World, cents: int) -> None:
        with suppress(NotFound, NotAllowed, MoreThanIsLeft):
            billing.refund_in_part(invoice_of(OrderNumber(world.order)), Money.of_minor(cents, "USD"), "scratched")

    @rule(world=worlds, sku=st.sampled_from(["MUG", "LAMP", "RELIC"]), quantity=st.integers(1, 2))
    def refund_units(self, world: World, sku: str, quantity: int) -> None:
        body = {"lines": [{"sku": sku, "quantity": quantity}], "reason": "broken"}
        response = world.post(f"/invoices/I{world.order[1:]}/refunds", body, by="operator")
        assert response.status_code in (202, 404, 409, 422)

    @rule(
        world=worlds, parcel=st.integers(1, 3), sku=st.sampled_from(["MUG", "LAMP", "RELIC"]), units=st.integers(1, 3)
    )
    def dispatch_a_part(self, world: World, parcel: int, sku: str, units: int) -> None:
        assert world.dispatch(parcel, {sku: units}).status_code in (200, 404, 409, 422)

    @rule(world=worlds, parcel=st.integers(2, 3), what=st.sampled_from(["dispatch", "deliver"]))
    def handle_another_parcel(self, world: World, parcel: int, what: str) -> None:
        assert getattr(world, what)(parcel).status_code in (200, 404, 409)

    @rule(rate=st.sampled_from([0.0, 0.8, 2.0]))
    def set_the_failure_rate(self, rate: float) -> None:
        django_settings.SANDBOX_FAILURE_RATE = rate

    @precondition(lambda self: self.placed and Transaction.objects.exists())
    @rule(data=st.data())
    def send_a_call_back(self, data: st.DataObject) -> None:
        keys = Transaction.objects.order_by("pk").values_list("pk", flat=True)
        body, headers = adapter.call_back(data.draw(st.sampled_from(list(keys))))
        path = "/api/v1/webhooks/payments/sandbox"
        assert self.api.post(path, body, content_type="application/json", headers=headers).status_code == 204

    @precondition(lambda self: self.placed)
    @rule()
    def come_to_rest_and_judge(self) -> None:
        django_settings.SANDBOX_FAILURE_RATE = 0.0
        # Twice, because a delivery whose every attempt killed its worker becomes a dead letter at the next claim.
        for _ in range(2):
            replay(Delivery.objects.filter(status=Status.DEAD))
            self.deliver_all()
        catch_up_all()  # beat does so every second, however far the clock was moved
        self.judge()

    def deliver_all(self) -> None:
        while waiting := Delivery.objects.filter(status=Status.PENDING).order_by("due_at").first():
            clock.advance(max(waiting.due_at - clock.now(), timedelta()))
            drain()
            routines.get("ordering.cancel-overdue-orders").run()

    def judge(self) -> None:
        assert [str(dead) for dead in Delivery.objects.filter(status=Status.DEAD)] == []
        wrong = {name: found.complaints for name, found in verify().items() if found.complaints}
        assert not wrong, wrong
        with clock.moved(timedelta(hours=1)):
            books = reconcile(clock.now() - timedelta(days=7))
        assert (books.repaired, books.discrepancies) == ([], {})

        charges = Transaction.objects.filter(decline_code="")
        taken = charges.filter(charge=None).aggregate(n=Sum("amount_minor", default=0))["n"]
        refunded = charges.exclude(charge=None).aggregate(n=Sum("amount_minor", default=0))["n"]
        sold = Order.objects.filter(status__in=CONFIRMED_STATES)
        granted = Invoice.objects.filter(order__in=sold.order_by().values("number"))
        paid = sold.aggregate(n=Sum("total_minor", default=0))["n"]
        assert taken - refunded == paid - granted.aggregate(n=Sum("granted_minor", default=0))["n"]

        relics = OrderLine.objects.filter(sku="RELIC").aggregate(n=Sum("shipped", default=0))["n"]
        relic = StockItem.objects.get(pk="RELIC")
        assert relic.on_hand + relic.quarantined == RELICS - relics - self.written_off
        assert Order.objects.count() == self.placed

    def teardown(self) -> None:
        with self.undo:
            if self.placed:
                self.come_to_rest_and_judge()
        SystemMachine.examples += 1


@pytest.fixture
def shop(db: None) -> Iterator[None]:
    with clock.standing_at(datetime(2026, 1, 5, 8, tzinfo=UTC)):
        open_shop()
        yield


def run(examples: int, phases: Collection[Phase] = tuple(Phase)) -> None:
    run_state_machine_as_test(
        SystemMachine,
        settings=settings(
            max_examples=examples * LONGER,
            stateful_step_count=20 if LONGER == 1 else 60,
            deadline=None,
            database=None,
            phases=phases,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_all_contexts_agree_at_rest_after_any_sequence_of_events(
    shop: None, record_property: Callable[[str, object], None]
) -> None:
    run(30)
    record_property("examples", SystemMachine.examples)


def test_a_delivery_that_killed_its_workers_is_replayed(shop: None) -> None:
    machine = SystemMachine()
    machine.open()
    machine.place_an_order({"MUG": 1}, "pm_card_visa")
    for _ in range(10):
        machine.workers[0].crash_at = machine.workers[0].steps + 1
        machine.workers[0](sorted(due_delivery_queues()))
        clock.advance(timedelta(seconds=9))

    machine.teardown()


def test_code_that_does_not_free_cancelled_goods_is_found(shop: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "release_reservation", planted_bugs.release_nothing)

    with pytest.raises(AssertionError, match=r"inventory\.reserved_goods_move_once"):
        run(100, [Phase.generate])
