"""Goods leave while something else is decided about their authorized money: one state, and books that agree."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial

import pytest
from at_once import at_once
from pytest_django import Settings

from billing.commands import lapse_authorizations, note_call_back, number_documents
from billing.gateways.sandbox.adapter import SandboxProvider, adapter
from billing.gateways.sandbox.courses import CannotPlay
from billing.models import Invoice, Payment
from config.verification import verify
from fulfillment.commands import dispatch_shipment, shipment_of
from fulfillment.models import NothingLeft, OnHold, Shipment, ShipmentStatus
from integration.domain import clock
from integration.domain.errors import DomainError
from integration.domain.identifiers import OrderNumber, Sku
from integration.domain.money import Money
from integration.domain.states import NotAllowed
from integration.read_models.catch_up import catch_up_all
from ordering.commands import cancel_lines, cancel_order
from ordering.models import CancellationReason, Order
from ordering.models.order_lines_and_holds import MoreThanOpen

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

ORDERS, DAY = 3, timedelta(days=1)
MUG, LAMP, BY_BUYER = Sku("MUG"), Sku("LAMP"), CancellationReason.BY_BUYER

FIRST = pytest.mark.parametrize("first", ["goods", "the other", "both at once"])

Authorized = Callable[[], list[OrderNumber]]
Race = Callable[..., None]


@pytest.fixture
def authorized(
    for_threads: None, placed: Callable[..., OrderNumber], drain: Callable[..., int], settings: Settings
) -> Authorized:
    """A function that places orders of two mugs and a lamp, whose 105.00 are authorized each."""

    def place() -> list[OrderNumber]:
        settings.CAPTURE = "at_dispatch"
        orders = [placed(buyer=f"B-{i}") for i in range(ORDERS)]
        drain()
        assert set(Payment.objects.values_list("status", flat=True)) == {"authorized"}
        return orders

    return place


@pytest.fixture
def race(drain: Callable[..., int]) -> Race:
    """A function that lets goods leave, and something else happen, in an order; at the end both books agree."""

    def run(first: str, leaving: list[Callable[[], None]], others: list[Callable[[], None]]) -> None:
        if first == "both at once":
            contexts = ("billing", "ordering", "fulfillment")
            results = at_once(*leaving, *others, *(partial(drain, context) for context in contexts))
            assert [each for each in results if isinstance(each, BaseException)] == []
        else:
            for step in [*leaving, drain, *others] if first == "goods" else [*others, drain, *leaving]:
                step()
        drain()
        with clock.moved(
            timedelta(minutes=15)
        ):  # lines that are cancelled while a capture is on its way are tried again
            drain()
        number_documents()
        catch_up_all()
        found = verify(provider=30 * DAY)
        assert [what for finding in found.values() for what in finding.complaints] == []

    return run


def _unless(*refusals: type[DomainError]) -> Callable[[Callable[[], object]], Callable[[], None]]:
    def wrap(act: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            with suppress(*refusals):
                act()

        return run

    return wrap


_leaves = _unless(OnHold, NothingLeft, NotAllowed)
_cancels = _unless(MoreThanOpen, NotAllowed)


def _dispatch(order: OrderNumber, *lines: tuple[Sku, int]) -> None:
    dispatch_shipment(shipment_of(order), "DHL", "1", [*lines] or None)


@FIRST
@pytest.mark.parametrize("captures", ["many", "once"])
def test_lines_are_cancelled_while_others_leave(
    authorized: Authorized, race: Race, monkeypatch: pytest.MonkeyPatch, first: str, captures: str
) -> None:
    monkeypatch.setattr(SandboxProvider, "captures", captures)
    orders = authorized()
    race(
        first,
        [_leaves(partial(_dispatch, order, (MUG, 2))) for order in orders],
        [_cancels(partial(cancel_lines, order, [(LAMP, 1)], BY_BUYER)) for order in orders],
    )
    for order in Order.objects.all():
        left = order.paid - order.refunded
        assert (order.status, left, order.authorized) == ("shipped", Money("25", "USD"), Money("0", "USD"))


@FIRST
def test_an_order_is_cancelled_while_its_goods_leave(authorized: Authorized, race: Race, first: str) -> None:
    orders = authorized()
    race(
        first,
        [_leaves(partial(_dispatch, order)) for order in orders],
        [_cancels(partial(cancel_order, order, BY_BUYER)) for order in orders],
    )
    for order in Order.objects.all():
        paid = Money("105" if order.status == "shipped" else "0", "USD")
        assert order.status in ("shipped", "cancelled")
        assert (order.paid, order.refunded, order.authorized) == (paid, Money("0", "USD"), Money("0", "USD"))


@FIRST
def test_the_bank_ends_the_authorization_while_goods_leave(authorized: Authorized, race: Race, first: str) -> None:
    orders = authorized()
    keys = [*Payment.objects.values_list("key", flat=True)]
    race(
        first,
        [_leaves(partial(_dispatch, order)) for order in orders],
        [partial(_end, key) for key in keys],
    )
    for order in Order.objects.all():
        invoice = Invoice.objects.get(order=order.number)
        if order.paid:
            assert (order.status, order.payment_status, invoice.status) == ("shipped", "paid", "paid")
        else:
            assert (order.payment_status, invoice.status, invoice.lapsed) == ("pending", "authorized", True)
            is_here = Shipment.objects.get(order=order.number).status == ShipmentStatus.ARRANGED
            assert bool(order.open_holds) == is_here


def _end(key: str) -> None:
    """The bank ends an authorization, unless it is captured, and says so."""
    with suppress(CannotPlay):
        adapter.play(key, "expire")
    body, headers = adapter.call_back(key)
    note_call_back("sandbox", adapter.read_call_back(body, headers))


@FIRST
def test_an_authorization_lapses_while_goods_leave(
    authorized: Authorized, race: Race, later: Callable[[timedelta], None], first: str
) -> None:
    orders = authorized()
    later(6 * DAY + timedelta(minutes=1))
    race(first, [_leaves(partial(_dispatch, order)) for order in orders], [lambda: lapse_authorizations()])
    for order in Order.objects.all():
        if order.status == "shipped":
            assert (order.payment_status, order.paid) == ("paid", Money("105", "USD"))
        else:
            assert (order.payment_status, len(order.open_holds)) == ("pending", 1)
