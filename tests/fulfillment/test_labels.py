"""Labels of carriers that sell them: one label each, whatever the carrier does, and none that nobody wants."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from fulfillment import commands, queries
from fulfillment.events import LineToPack
from fulfillment.gateways.carriers import (
    Bought,
    Declined,
    OutcomeUnknown,
    Parcel,
    UnknownCarrier,
    carrier,
    carrier_or_manual,
)
from fulfillment.gateways.carriers.sandbox.adapter import KeyReused, SandboxCarrier, adapter
from fulfillment.gateways.carriers.sandbox.models import Label
from fulfillment.models import LabelUnderWay, Shipment
from integration.contracts import IntegrationEvent
from integration.contracts import fulfillment as to_others
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku
from integration.domain.states import NotAllowed
from integration.messaging.models import Delivery

pytestmark = pytest.mark.django_db

ORDER, FIRST, SECOND = OrderNumber("R-1"), ShipmentId("S-1-1"), ShipmentId("S-1-2")
MUG, LAMP = Sku("MUG"), Sku("LAMP")

Published = Callable[..., list[IntegrationEvent]]
Drain = Callable[..., int]


@pytest.fixture
def arranged(address: Address) -> None:
    commands.arrange_shipment(ORDER, address, [LineToPack(MUG, "Mug", 2), LineToPack(LAMP, "Lamp", 1)])


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Callable[..., None]:
    """A function that cuts the connection to the carrier: each call has two legs, the request and the response."""
    settings.SANDBOX_FAILURE_RATE = 1.0
    legs: list[bool] = []
    chance = SimpleNamespace(random=lambda: 0.0 if legs and legs.pop(0) else 1.0)
    monkeypatch.setattr("fulfillment.gateways.carriers.sandbox.adapter.random", chance)

    def plan(*is_cut: bool) -> None:
        legs[:] = is_cut

    return plan


def request(lines: list[tuple[Sku, int]] | None = None, service: str | None = None) -> Shipment:
    return commands.request_label(FIRST, "sandbox", service, lines)


def retry(drain: Drain) -> None:
    """Let the time of the next attempt come."""
    with clock.moved(timedelta(hours=1)):
        drain("fulfillment")


def label_of(shipment: ShipmentId = FIRST) -> tuple[str, str]:
    """The status of a shipment's label, and the carrier's reason."""
    label = queries.shipment(shipment).label
    assert label
    return label.status, label.reason


def test_a_shipment_leaves_with_the_label_that_the_carrier_sells(
    arranged: None, drain: Drain, published: Published
) -> None:
    assert request().status == "arranged"
    drain("fulfillment")

    (label,) = Label.objects.all()
    shipment = queries.shipment(FIRST)
    assert (shipment.status, shipment.carrier, shipment.tracking_number) == (
        "dispatched",
        "sandbox",
        label.tracking_number,
    )
    assert label_of() == ("bought", "")
    (dispatched,) = published(to_others.ShipmentDispatched)
    assert dispatched.tracking_url == f"https://carrier.example/track/{label.tracking_number}"


def test_some_lines_leave_with_a_label_and_the_rest_waits(arranged: None, drain: Drain) -> None:
    request([(MUG, 1)])
    drain("fulfillment")

    assert queries.shipment(FIRST).quantities == {MUG: 1}
    rest = queries.shipment(SECOND)
    assert (rest.status, rest.quantities) == ("arranged", {MUG: 1, LAMP: 1})


@pytest.mark.parametrize("legs", [(True,), (False, True)], ids=["the request is lost", "the response is lost"])
def test_a_label_is_bought_once_if_the_carrier_is_silent(
    legs: tuple[bool, ...], arranged: None, drain: Drain, cut: Callable[..., None]
) -> None:
    cut(*legs)
    request()
    drain("fulfillment")
    assert queries.shipment(FIRST).status == "arranged"
    assert label_of() == ("requested", "")

    retry(drain)

    assert Label.objects.count() == 1
    assert queries.shipment(FIRST).tracking_number == Label.objects.get().tracking_number


def test_a_carrier_that_is_away_for_days_uses_up_no_attempt(
    arranged: None, drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*args: Any) -> None:
        raise OutcomeUnknown

    with monkeypatch.context() as away:
        away.setattr(SandboxCarrier, "buy_label", gone)
        request()
        for day in range(5):
            with clock.moved(timedelta(days=day)):
                drain("fulfillment")
        assert Delivery.objects.get(consumer="fulfillment.buy-label").status == "pending"

    with clock.moved(timedelta(days=9)):
        drain("fulfillment")
    assert queries.shipment(FIRST).status == "dispatched"


def test_a_carrier_that_refuses_leaves_the_shipment_to_the_operator(
    address: Address, drain: Drain, published: Published
) -> None:
    antarctica = Address("Ada Lovelace", "McMurdo Station", "Ross Island", "", "AQ")
    commands.arrange_shipment(ORDER, antarctica, [LineToPack(MUG, "Mug", 1)])
    request()
    drain("fulfillment")

    assert queries.shipment(FIRST).status == "arranged"
    assert label_of() == ("refused", "not_served")
    assert published(to_others.ShipmentDispatched) == []

    commands.dispatch_shipment(FIRST, "Icebreaker", "1")
    assert queries.shipment(FIRST).status == "dispatched"


def test_after_a_refusal_another_label_has_another_key(arranged: None, drain: Drain) -> None:
    commands.settle_label(FIRST, _label_of(request()), Declined("not_served"))
    request(service="sandbox_lost")
    drain("fulfillment")

    assert queries.shipment(FIRST).status == "dispatched"
    assert Label.objects.get().key.startswith("S-1-1-2-")


def test_while_a_label_is_bought_no_other_is_requested(arranged: None) -> None:
    request()
    with pytest.raises(LabelUnderWay):
        request()


def test_a_carrier_that_responds_twice_sends_nothing_twice(arranged: None, drain: Drain, published: Published) -> None:
    label = _label_of(request())
    drain("fulfillment")
    number = queries.shipment(FIRST).tracking_number
    before = queries.shipment(FIRST).version

    commands.settle_label(FIRST, label, Bought(number))
    commands.settle_label(FIRST, label, Declined("not_served"))

    assert queries.shipment(FIRST).version == before
    assert published(to_others.LabelDropped) == []


def test_a_cancelled_shipment_does_without_its_label(arranged: None, drain: Drain) -> None:
    request()
    commands.stop_shipment(ORDER, "by_buyer")
    drain("fulfillment")

    assert queries.shipment(FIRST).status == "cancelled"
    assert label_of() == ("dropped", "")
    assert [label.is_cancelled for label in Label.objects.all()] == [True]


def test_a_label_that_is_bought_too_late_is_cancelled(arranged: None, drain: Drain) -> None:
    request()
    settle = commands.buy_label(Shipment.objects.get(pk=FIRST), 1)  # the carrier has sold it
    commands.dispatch_shipment(FIRST, "DHL", "JD0143")
    drain("fulfillment")
    assert settle
    settle()
    drain("fulfillment")

    sent = queries.shipment(FIRST)
    assert (sent.carrier, sent.tracking_number) == ("DHL", "JD0143")
    assert [label.is_cancelled for label in Label.objects.all()] == [True]
    assert label_of() == ("dropped", "")


def test_a_request_that_reaches_the_carrier_after_the_cancellation_buys_nothing(arranged: None, drain: Drain) -> None:
    request()
    parcel_before = Shipment.objects.get(pk=FIRST)
    commands.stop_shipment(ORDER, "by_buyer")
    drain("fulfillment")

    settle = commands.buy_label(parcel_before, 1)
    assert settle
    settle()
    drain("fulfillment")

    assert label_of() == ("dropped", "")
    assert Label.objects.filter(tracking_number__isnull=False, is_cancelled=False).count() == 0


def test_a_label_can_be_requested_only_for_what_has_not_left(arranged: None) -> None:
    commands.dispatch_shipment(FIRST, "DHL", "JD0143")
    with pytest.raises(NotAllowed):
        request()


def test_a_carrier_that_sells_none_and_an_unknown_service_are_refused(arranged: None) -> None:
    before = queries.shipment(FIRST).version
    with pytest.raises(commands.SellsNoLabels):
        commands.request_label(FIRST, "DHL", None)
    with pytest.raises(commands.UnknownService):
        request(service="teleport")
    assert queries.shipment(FIRST).version == before


def test_a_label_is_not_in_a_row_that_needs_none(arranged: None) -> None:
    commands.dispatch_shipment(FIRST, "DHL", "JD0143")
    commands.deliver_shipment(FIRST)

    shipment = queries.shipment(FIRST)
    assert (shipment.label_data, shipment.scans, shipment.is_tracked, shipment.resolution) == (None, None, False, "")


# --- The sandbox carrier by itself ---


def parcel(**changes: Any) -> Parcel:
    to = Address("Ada Lovelace", "12 St James's Square", "London", "SW1Y 4JH", "GB")
    return Parcel(**{"reference": FIRST, "service": "sandbox_ok", "recipient": to, "goods": {MUG: 1}, **changes})


def test_the_sandbox_sells_one_label_a_key(db: None) -> None:
    assert adapter.buy_label("k1", parcel()) == adapter.buy_label("k1", parcel())
    assert adapter.buy_label("k1", parcel()) != adapter.buy_label("k2", parcel())
    with pytest.raises(KeyReused):
        adapter.buy_label("k1", parcel(service="sandbox_lost"))


def test_a_carrier_that_is_not_set_up_is_unknown(settings: Any) -> None:
    settings.CARRIERS = []
    with pytest.raises(UnknownCarrier):
        carrier("sandbox")
    assert carrier_or_manual("sandbox").services == ()
    assert carrier_or_manual("DHL").buy_label("k", parcel()) == Declined("sells_no_labels")


LIVES: Mapping[str, tuple[str, bool]] = {
    "sandbox_ok": ("delivered", False),
    "sandbox_fails_once": ("delivered", False),
    "sandbox_lost": ("lost", True),
    "sandbox_returned": ("returned", True),
}


@pytest.mark.parametrize("service", LIVES)
def test_each_service_plays_its_life(
    service: str, arranged: None, drain: Drain, later: Callable[[timedelta], None]
) -> None:
    request(service=service)
    drain("fulfillment")
    seen = []
    for _ in range(6):
        commands.play_sandbox_carrier(10)
        seen.append(queries.shipment(FIRST).status)
        later(timedelta(seconds=20))

    shipment = queries.shipment(FIRST)
    assert (shipment.status, shipment.needs_human) == LIVES[service]
    assert seen[0] == "dispatched"
    assert Label.objects.get().is_played


def _label_of(shipment: Shipment) -> Any:
    assert shipment.label
    return shipment.label
