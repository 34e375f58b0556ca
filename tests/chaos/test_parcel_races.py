"""Delivered, lost and resolved at the same moment, on real connections: one state in all contexts."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from at_once import at_once
from django.db import connection

from billing.models import Refund
from config.verification import verify
from fulfillment import commands
from fulfillment.gateways.carriers import CarrierScan
from fulfillment.models import Shipment
from integration.domain import clock
from integration.domain.errors import DomainError
from integration.domain.identifiers import OrderNumber, ShipmentId
from ordering.models import Order

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer, so there are no races"),
]


@pytest.mark.parametrize("attempt", range(3))
def test_delivered_lost_and_resolved_at_once_lead_to_one_state(
    placed: Callable[..., OrderNumber], drain: Callable[..., int], attempt: int
) -> None:
    number = placed()
    drain()
    shipment = ShipmentId(f"S{number[1:]}-1")
    commands.dispatch_shipment(shipment, "sandbox", "SB1")
    commands.lose_shipment(shipment)
    found = CarrierScan(id="e1", tracking_number="SB1", status="delivered", at=clock.now())

    results: list[Any] = at_once(
        partial(commands.note_scan, "sandbox", found),
        partial(commands.resolve_shipment, shipment, "refund"),
        partial(commands.resolve_shipment, shipment, "send_again"),
        partial(commands.return_to_sender, shipment),
    )
    drain()

    assert all(isinstance(each, DomainError) for each in results if isinstance(each, BaseException)), results
    known = Shipment.objects.get(pk=shipment)
    resolutions = [known.resolution] if known.resolution else []
    assert sum(isinstance(each, Shipment) for each in results[1:3]) == len(resolutions)
    assert Order.objects.filter(replaces=number).count() == resolutions.count("send_again")
    is_refunded = resolutions == ["refund"] and known.status == "lost"
    assert Refund.objects.count() == is_refunded
    assert [complaint for finding in verify().values() for complaint in finding.complaints] == []
