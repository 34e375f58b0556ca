"""The carriers' callbacks: the signature authenticates each, and each counts once, whenever it arrives."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from fulfillment import commands, queries
from fulfillment.events import LineToPack
from fulfillment.gateways.carriers import CarrierScan
from fulfillment.gateways.carriers.sandbox.adapter import SIGNATURE_HEADER, adapter
from fulfillment.models import Shipment
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku
from integration.gateways import signatures

pytestmark = pytest.mark.django_db

ORDER, FIRST = OrderNumber("R-1"), ShipmentId("S-1-1")


@pytest.fixture
def sent(address: Address) -> None:
    commands.arrange_shipment(ORDER, address, [LineToPack(Sku("MUG"), "Mug", 2)])
    commands.dispatch_shipment(FIRST, "sandbox", "SB1")


def send(body: bytes, headers: Mapping[str, str], carrier: str = "sandbox") -> Any:
    path = f"/api/v1/webhooks/carriers/{carrier}"
    return APIClient().post(path, body, content_type="application/json", headers=headers)


def scan(id: str = "e1", status: Any = "in_transit", at: datetime | None = None, number: str = "SB1") -> CarrierScan:
    return CarrierScan(id=id, tracking_number=number, status=status, at=at or clock.now())


def signed(body: bytes) -> tuple[bytes, dict[str, str]]:
    moment = int(clock.now().timestamp())
    return body, {SIGNATURE_HEADER: signatures.sign(body, _secret(), moment)}


def _secret() -> str:
    from django.conf import settings

    return str(settings.SANDBOX_CARRIER_SECRETS[0])


def test_a_call_back_moves_a_shipment(sent: None) -> None:
    assert send(*adapter.call_back(scan())).status_code == 204
    assert queries.shipment(FIRST).status == "in_transit"


def test_a_repeated_call_back_counts_once(sent: None) -> None:
    body, headers = adapter.call_back(scan())
    assert [send(body, headers).status_code for _ in range(3)] == [204, 204, 204]
    assert len(queries.shipment(FIRST).all_scans) == 1


def test_a_call_back_that_is_late_changes_nothing(sent: None) -> None:
    send(*adapter.call_back(scan("e2", "delivered")))
    send(*adapter.call_back(scan("e1", "in_transit", clock.now() - timedelta(hours=5))))
    assert queries.shipment(FIRST).status == "delivered"
    assert len(queries.shipment(FIRST).all_scans) == 2


def test_a_forged_call_back_changes_nothing(sent: None) -> None:
    body, headers = adapter.call_back(scan())
    version = queries.shipment(FIRST).version
    for forged in (body.replace(b"in_transit", b"delivered"), body + b" "):
        response = send(forged, headers)
        assert (response.status_code, response.json()["type"]) == (400, "urn:waybill:problem:not_signed")
    assert send(body, {}).status_code == 400
    with clock.moved(timedelta(minutes=6)):
        assert send(body, headers).status_code == 400
    assert queries.shipment(FIRST).version == version


def test_a_call_back_about_a_parcel_that_is_not_ours_is_not_found(sent: None) -> None:
    assert send(*adapter.call_back(scan(number="SB2"))).status_code == 404
    assert send(*adapter.call_back(scan()), carrier="nobody").status_code == 404
    assert send(*adapter.call_back(scan()), carrier="manual").status_code == 404


def test_a_parcel_of_a_carrier_that_sends_nothing_is_not_found(address: Address) -> None:
    commands.arrange_shipment(ORDER, address, [LineToPack(Sku("MUG"), "Mug", 2)])
    commands.dispatch_shipment(FIRST, "DHL", "SB1")
    assert send(*adapter.call_back(scan())).status_code == 404


def test_all_shipments_in_one_parcel_move(sent: None, address: Address) -> None:
    other = OrderNumber("R-2")
    commands.arrange_shipment(other, address, [LineToPack(Sku("MUG"), "Mug", 2)])
    commands.dispatch_shipment(ShipmentId("S-2-1"), "sandbox", "SB1")
    assert send(*adapter.call_back(scan(status="delivered"))).status_code == 204
    assert {shipment.status for shipment in Shipment.objects.all()} == {"delivered"}


@pytest.mark.parametrize("at", [timedelta(days=2), datetime(1999, 1, 1, tzinfo=UTC)])
def test_a_moment_that_cannot_be_is_refused(sent: None, at: Any) -> None:
    moment = clock.now() + at if isinstance(at, timedelta) else at
    response = send(*adapter.call_back(scan(at=moment)))
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "#/at")
    assert queries.shipment(FIRST).status == "dispatched"


GOOD = '"id":"e1","tracking_number":"SB1","status":"lost","at":"2026-03-01T10:00:00Z"'


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ("{", 400, None),
        ("[]", 422, "#"),
        ("{" + GOOD.replace("lost", "exploded") + "}", 422, "#/status"),
        ("{" + GOOD.replace('"e1"', '""') + "}", 422, "#/id"),
        ("{" + GOOD.replace('"e1"', '"' + "x" * 81 + '"') + "}", 422, "#/id"),
        ("{" + GOOD.replace('"SB1"', "7") + "}", 422, "#/tracking_number"),
        ("{" + GOOD.replace("2026-03-01T10:00:00Z", "2026-03-01T10:00:00") + "}", 422, "#/at"),
        ("{" + GOOD.replace("2026-03-01T10:00:00Z", "noon") + "}", 422, "#/at"),
        ("{" + GOOD.replace('"e1"', '"a\\u0000b"') + "}", 422, "#/id"),
        ("{" + GOOD + ',"more":1}', 422, "#"),
        ("{" + GOOD + ',"id":"e2"}', 422, "#/id"),
        ("{" + GOOD + ',"note":"' + "x" * 501 + '"}', 422, "#/note"),
    ],
)
def test_a_signed_call_back_that_cannot_be_read_is_refused(
    sent: None, body: str, status: int, pointer: str | None
) -> None:
    version = queries.shipment(FIRST).version
    response = send(*signed(body.encode()))
    assert response.status_code == status, response.content
    if pointer:
        assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
    assert queries.shipment(FIRST).version == version


def test_the_note_of_a_scan_is_personal(sent: None, all_texts: Callable[[], str]) -> None:
    commands.note_scan(
        "sandbox",
        CarrierScan(id="e1", tracking_number="SB1", status="delivered", at=clock.now(), note="left with Mrs. Byron"),
    )
    assert "Mrs. Byron" not in all_texts()


@pytest.fixture
def all_texts() -> Callable[[], str]:
    """Reads the whole log of fulfillment and the rows of its shipments."""
    from fulfillment.models import History

    return lambda: f"{[*History.objects.values()]} {[*Shipment.objects.values()]}"
