"""Every clause of every invariant has a planted offender, and `verify` names the offender with that very clause."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.mail import get_connection
from django.db import connection, transaction
from django.test import override_settings
from pytest_django import Settings

from billing.commands import approve_refund, ask_for_refund, note_dispute, number_documents, refund_in_part
from billing.gateways import Disputed
from billing.gateways.sandbox.adapter import adapter
from billing.models import Payment, invoice_of
from config.verification import verify
from fulfillment import commands as fulfillment
from fulfillment.events import ReceivedLine
from fulfillment.models.return_policy import ReturnReason
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.identifiers import BuyerId, CartId, OrderNumber, PaymentMethodId, ReturnId, ShipmentId, Sku
from integration.domain.metadata import new_story
from integration.domain.money import Money
from integration.gateways.mail_files import Letter
from integration.history.append_only import histories, unprotect
from integration.invariants import Check, Finding, always, invariants
from integration.messaging.archive import archive_batch
from integration.read_models.catch_up import catch_up_all
from integration.storage.sql import is_postgresql
from integration.webhooks.endpoints import register
from integration.webhooks.fan_out import fan_out
from ordering.commands import (
    cancel_lines,
    check_out,
    claim_cart,
    create_voucher,
    hold_order,
    open_cart,
    set_address,
    set_item,
)
from ordering.models import CancellationReason, HoldReason
from tests.config.planted_offenders import PLANTED

LONG = timedelta(days=200)


@pytest.fixture
def at_rest(placed: Callable[..., OrderNumber], drain: Callable[..., int], settings: Settings, tmp_path: Path) -> None:
    """Orders in states that last, one shipped in part, refunds, archived messages, a letter, and carts."""
    settings.EMAIL_FILE_PATH = tmp_path
    register({"url": "https://hooks.example/", "events": ["*"]}, None)
    server = get_connection("integration.gateways.mail_files.EmailBackend")
    server.send_messages([Letter("Hello", "Ada", to=["ada@example.com"], person="B-1", is_wanted=lambda: True)])
    placed(method="pm_card_chargeDeclined", buyer="B-2")
    drain()
    with clock.moved(LONG):
        archive_batch(2)
    create_voucher("FEW", {"kind": "percent", "value": Decimal(1), "limit": 9})
    delivered, confirmed, refunding = placed(vouchers=["FEW"]), placed(buyer="B-2"), placed(buyer="B-2")
    in_parts = placed(buyer="B-2")
    drain()
    refund_in_part(invoice_of(confirmed), Money("5", "USD"), "scratched")
    shipment = ShipmentId(f"S{delivered[1:]}-1")
    fulfillment.dispatch_shipment(shipment, "DHL", "1")
    fulfillment.dispatch_shipment(ShipmentId(f"S{in_parts[1:]}-1"), "DHL", "2", [(Sku("MUG"), 1)])
    cancel_lines(confirmed, [(Sku("MUG"), 1)], CancellationReason.BY_BUYER)
    hold_order(confirmed, HoldReason.OTHER)
    drain()
    fulfillment.deliver_shipment(shipment)
    drain()
    leave_authorizations(placed, drain, settings)
    leave_carts()
    asked = [(Sku("MUG"), 2, ReturnReason.DAMAGED), (Sku("LAMP"), 1, ReturnReason.DAMAGED)]
    returned = ReturnId(fulfillment.request_return(delivered, asked).id)
    fulfillment.approve_return(returned)
    restock, quarantine = ReceivedLine(Sku("MUG"), 1, "restock"), ReceivedLine(Sku("MUG"), 1, "quarantine")
    fulfillment.receive_return(returned, [restock, quarantine, ReceivedLine(Sku("LAMP"), 1, "missing")])
    drain()
    refund_in_part(invoice_of(refunding), Money("5", "USD"), "scratched")  # the provider is not asked yet
    charge = Payment.objects.get(order=in_parts)
    note_dispute(Disputed("dp_1", charge.reference, charge.amount, "chargeback", "needs_response"))
    with override_settings(REFUND_APPROVAL_LIMIT=Decimal(0)):
        proposal = ask_for_refund(invoice_of(refunding), Money("2", "USD"), "scratched").pk
    with new_story("user:1"):
        approve_refund(proposal)
    drain()
    number_documents()
    refund_in_part(invoice_of(refunding), Money("1", "USD"), "scratched")  # its credit note has no number yet
    catch_up_all()
    fan_out()


def leave_authorizations(placed: Callable[..., OrderNumber], drain: Callable[..., int], settings: Settings) -> None:
    """An authorized order that is captured in part, and one of which goods have left and the capture failed."""
    settings.CAPTURE = "at_dispatch"
    captured, failing = placed(buyer="B-2"), placed(buyer="B-2")
    drain()
    settings.CAPTURE = "at_order"
    adapter.play(Payment.objects.get(order=failing).key, "expire")
    for order in (captured, failing):
        fulfillment.dispatch_shipment(ShipmentId(f"S{order[1:]}-1"), "DHL", "3", [(Sku("MUG"), 1)])
    drain()


def leave_carts() -> None:
    """A guest's cart that became an order, one that was merged into a buyer's, and the buyer's, which is open."""
    address = Address("Ada Lovelace", "12 St James's Square", "London", "SW1Y 4JH", "GB")
    carts = [(CartId(open_cart(buyer)[0].id), buyer) for buyer in (None, None, BuyerId("B-1"))]
    for cart, buyer in carts:
        set_item(cart, buyer, Sku("MUG"), 1)
        set_address(cart, buyer, address)
    check_out(carts[0][0], None, PaymentMethodId("pm_card_visa"), email="guest@example.com")
    claim_cart(carts[1][0], BuyerId("B-1"))


@contextmanager
def without_constraints() -> Iterator[None]:
    """Let the block do what constraints and triggers refuse, and take everything back at its end."""
    with connection.cursor() as cursor:
        if not is_postgresql():
            cursor.execute("PRAGMA ignore_check_constraints = ON")
        with transaction.atomic():
            if is_postgresql():
                _drop_check_constraints(cursor)
            try:
                yield
            finally:
                transaction.set_rollback(True)
        if not is_postgresql():
            cursor.execute("PRAGMA ignore_check_constraints = OFF")


def _drop_check_constraints(cursor: Any) -> None:
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # no table with pending checks can be altered
    cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    cursor.execute(
        "SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) FROM pg_constraint "
        "JOIN pg_namespace ON pg_namespace.oid = connamespace "
        "WHERE contype = 'c' AND conrelid <> 0 AND nspname = current_schema"
    )
    for (statement,) in cursor.fetchall():
        cursor.execute(statement)


def plant(*statements: str) -> None:
    with connection.cursor() as cursor:
        if any("_history" in each and "TRIGGER" not in each.upper() for each in statements):
            for statement in [each for table in histories() for each in unprotect(table, connection.vendor)]:
                cursor.execute(statement)
        for statement in statements:
            cursor.execute(statement)


def find(name: str) -> Finding:
    return verify([name])[name]


def test_every_clause_has_a_planted_offender() -> None:
    clauses = {name: {*each.clauses} for name, each in invariants.items() if name.split(".")[0] != "loyalty"}
    assert clauses == {name: {*planted} for name, planted in PLANTED.items()}


@pytest.mark.parametrize("name", PLANTED)
def test_each_planted_offender_is_named_with_its_clause(at_rest: None, name: str) -> None:
    assert find(name).complaints == []
    for clause, statements in PLANTED[name].items():
        with without_constraints():
            plant(*([statements] if isinstance(statements, str) else statements))
            named = [each.rpartition(" [")[2].removesuffix("]").split("; ") for each in find(name).offenders]
        assert any(clause in clauses for clauses in named), clause
    assert find(name).complaints == []


def test_every_invariant_looks_at_something(at_rest: None) -> None:
    nothing = {name for name, finding in verify().items() if not finding.looked_at}
    at_rest_nobody = {"erasing.nothing_is_left_of_an_anonymized_order", "process.every_waiting_payment_ends"}
    assert nothing == at_rest_nobody | (set() if is_postgresql() else {"events.numbers_are_not_cached"})


def test_a_comparison_with_something_missing_is_a_violation(db: None) -> None:
    row = "(SELECT 1 AS a, CAST(NULL AS integer) AS b) AS x"
    never = {"they differ": "x.a <> x.b", "it is two": "x.a = 2"}
    always("tests.missing")(lambda: Check(rows=row, what="'it'", never=never))
    try:
        assert find("tests.missing").offenders == ["it [they differ]"]
    finally:
        del invariants._by_name["tests.missing"]
