"""Personal data is stored only where it is needed: markers sent to the API are searched for in all tables."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any
from unittest import mock

import msgspec
import pytest
from markers import API, MAIL, NAME, PASSWORD, STREET, TOKEN, places
from rest_framework.test import APIClient

from fulfillment import commands as fulfillment
from fulfillment.models import Shipment
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.redaction import without_rows
from integration.messaging.consumers import consumers
from integration.messaging.models import Delivery
from ordering.models import Order

PERSONAL_DATA = "integration_personaldata: values"
"""The personal data store: no history and no message contains personal values."""
OWN = {"ordering_buyer", PERSONAL_DATA, "auth_user", "integration_idempotencykey: body"}
"""Where a buyer's data is: in ordering, in the user for the login, and in responses stored for a week."""
ADDRESSED = {"ordering_order", PERSONAL_DATA, "fulfillment_shipment", "billing_payer"}
"""Where a recipient's address is as well: in the order, in fulfillment and in billing, by one contract each."""
WHERE = {
    NAME: OWN | ADDRESSED,
    STREET: OWN - {"auth_user"} | ADDRESSED,
    MAIL: OWN,
    TOKEN: {
        "ordering_order",
        PERSONAL_DATA,
        "integration_idempotencykey: body",
        "billing_invoice",
        "billing_payment",
        "sandbox_transaction",
    },
    PASSWORD: set(),
}
"""Where each marker may be."""


@contextmanager
def all_fail_once() -> Iterator[None]:
    """Every consumer fails for its first messages, in a batch and one by one."""
    whole = {name: consumer.handle for name, consumer in consumers.items()}

    def failing(handle: Callable[..., Any]) -> Callable[..., Any]:
        fails = iter([True] * 3)

        def once(*message: Any) -> Any:
            if next(fails, False):
                raise RuntimeError("the process failed")
            return handle(*message)

        return once

    for name, handle in whole.items():
        msgspec.structs.force_setattr(consumers.get(name), "handle", failing(handle))
    try:
        yield
    finally:
        for name, handle in whole.items():
            msgspec.structs.force_setattr(consumers.get(name), "handle", handle)


@contextmanager
def shipments_that_the_database_refuses() -> Iterator[None]:
    """The row of a shipment cannot be written, and PostgreSQL's error quotes the row."""
    arrange = fulfillment.arrange_shipment

    def arrange_badly(*args: Any, **kwargs: Any) -> None:
        with unit_of_work() as work:
            arrange(*args, **kwargs)
            for aggregate in work._aggregates.values():
                if isinstance(aggregate, Shipment):
                    aggregate.carrier = None

    with mock.patch.object(fulfillment, "arrange_shipment", arrange_badly):
        yield


@pytest.mark.django_db(transaction=True)
def test_a_marker_is_stored_only_where_it_is_needed(
    buyer: APIClient,
    order: Callable[..., str],
    persist: Callable[[], None],
    logged: StringIO,
    woken: list[Any],
    settings: Any,
) -> None:
    with all_fail_once():
        sent, cancelled = order(), order("LAMP")
        order("RELIC")
        order("MUG", "pm_card_chargeDeclined")
        persist()
    buyer.post(f"{API}/orders/{cancelled}/cancel", {"reason": "changed my mind"})
    fulfillment.dispatch_shipment(fulfillment.shipment_of(sent), "DHL", "1")
    persist()
    fulfillment.deliver_shipment(fulfillment.shipment_of(sent))
    settings.DELIVERY_MAX_ATTEMPTS = settings.EXTERNAL_MAX_ATTEMPTS = 2
    with shipments_that_the_database_refuses():
        order()
        persist()

    assert {*Order.objects.values_list("status", flat=True)} == {"delivered", "cancelled", "confirmed"}
    assert "carrier" in Delivery.objects.get(status="dead").error, "the error must still name the problem"
    assert logged.getvalue().count("failed at attempt") > 10
    assert woken
    for marker, allowed in WHERE.items():
        assert places(marker) - allowed == set(), marker
        assert marker not in logged.getvalue()
        assert marker not in repr(woken)
    assert places(STREET) >= ADDRESSED, "the search must find the markers that are there"


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("null value\nDETAIL:  Failing row contains (1, Ada).", "null value"),
        ("IntegrityError('null value\\nDETAIL:  Failing row contains (Ada).')", "IntegrityError('null value"),
        ("null value\nDETAIL:  (a\nb).\n\nThe above exception", "null value\n\nThe above exception"),
        ('invalid input syntax for type uuid: "Ada"\nLINE 1', "invalid input syntax for type uuid: …\nLINE 1"),
        ('date/time field value out of range: "Ada"', "date/time field value out of range: …"),
        ("syntax\nCONTEXT:  unnamed portal parameter $1 = 'Ada'", "syntax"),
        ("deadlock\nCONTEXT:  while locking tuple (1,2)", "deadlock\nCONTEXT:  while locking tuple (1,2)"),
        ("nothing of the kind", "nothing of the kind"),
    ],
)
def test_a_row_quoted_by_a_database_error_is_left_out(said: str, left: str) -> None:
    assert without_rows(said) == left
