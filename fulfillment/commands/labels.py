"""Commands about labels of carriers that sell them.

`buy_label` and `cancel_label` call the carrier while no transaction is open; `buy_label` returns a function that
records the outcome in a unit of work.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from django.conf import settings

from fulfillment.commands.goods import to_decide_about
from fulfillment.commands.parcels import hand_over
from fulfillment.commands.tracking import note_scan
from fulfillment.gateways.carriers import Bought, Declined, Parcel, carrier, carrier_or_manual
from fulfillment.gateways.carriers.sandbox.adapter import adapter as sandbox
from fulfillment.models import Label, Shipment
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.address import Address
from integration.domain.errors import NotFound, Refused, Unacceptable
from integration.domain.identifiers import ShipmentId, Sku
from integration.storage.reading import read

log = logging.getLogger(__name__)


class UnknownService(Unacceptable):
    """The carrier has no such service."""


class SellsNoLabels(Unacceptable):
    """The carrier sells no labels, so a tracking number is needed."""


def request_label(
    shipment: ShipmentId,
    carrier_name: str,
    service: str | None,
    lines: Sequence[tuple[Sku, int]] | None = None,
    if_version: Collection[int] | None = None,
) -> Shipment:
    """Have a carrier sell a label, with which a shipment or some of its lines are dispatched as soon as it is bought.

    Args:
        carrier_name: a carrier that sells labels.
        service: one of its services; None for its usual one.
        lines: the SKUs and quantities that are to leave; None for all.
        if_version: the versions of the shipment that the caller accepts; None accepts any.

    Returns:
        The shipment, still `arranged`.

    Raises:
        NotFound: there is no such shipment.
        NotAllowed: the shipment is not `arranged`.
        LabelUnderWay: another label is being bought.
        OnHold: the order is on hold.
        SellsNoLabels, UnknownService: the carrier does not sell this.
        NotInShipment, TooManyUnits: the shipment has not all these lines.
        StaleVersion: the shipment is in none of the versions in `if_version`.
    """
    services = carrier_or_manual(carrier_name).services
    with unit_of_work() as work:
        found, goods = to_decide_about(work, shipment)
        found.expect_version(if_version)
        if goods:
            goods.require_no_hold()
        found.require(bool(services), SellsNoLabels(pointer="/tracking_number"))
        wanted = service or services[0]
        found.require(
            wanted in services, UnknownService(f"{carrier_name} has no service {wanted!r}", pointer="/service")
        )
        found.request_label(carrier_name, wanted, found.chosen(lines))
    return found


def shipments_to_label(ids: Collection[ShipmentId]) -> Mapping[ShipmentId, Shipment]:
    """Read shipments in one query; returns them by identifier."""
    return {ShipmentId(shipment.id): shipment for shipment in read(Shipment, "id", ids)}


def buy_label(shipment: Shipment, number: int) -> Callable[[], None] | None:
    """Buy the label of a shipment from its carrier, unless it is not wanted any more.

    Returns:
        A function that records the outcome in a unit of work; None if there is nothing to record.

    Raises:
        OutcomeUnknown: the carrier did not respond; try again with the same key.
        UnknownCarrier: the carrier is not set up any more; an operator sees a dead letter.
    """
    label = shipment.label
    if label is None or not shipment.wants(number):
        return None
    parcel = Parcel(
        reference=ShipmentId(shipment.id),
        service=label.service,
        recipient=Address(**shipment.recipient),
        goods={Sku(sku): quantity for sku, quantity in label.quantities.items()},
    )
    outcome = carrier(label.carrier).buy_label(label.key, parcel)
    return partial(settle_label, ShipmentId(shipment.id), label, outcome)


def settle_label(id: ShipmentId, label: Label, outcome: Bought | Declined) -> None:
    """Record what a carrier did about a label. With a label that is still wanted the goods leave at once.

    The outcome may come more than once. A label that was bought and is not wanted any more is cancelled.
    """
    with unit_of_work() as work:
        shipment, goods = to_decide_about(work, id)
        if isinstance(outcome, Declined):
            shipment.refuse_label(label.number, outcome.code)
        elif shipment.wants(label.number) and not (goods and goods.active_holds):
            shipment.note_label(label.number, outcome.tracking_number)
            quantities = [(Sku(sku), quantity) for sku, quantity in label.quantities.items()]
            hand_over(work, shipment, goods, label.carrier, outcome.tracking_number, quantities)
        elif not shipment.has_bought(label.number):
            shipment.drop(label.number, label.carrier, label.key)


def cancel_label(carrier_name: str, key: str) -> None:
    """Have a carrier cancel the label with this key; raises `OutcomeUnknown`, `UnknownCarrier`."""
    carrier(carrier_name).cancel_label(key)


def play_sandbox_carrier(at_most: int) -> None:
    """Send the callbacks of the sandbox carrier that are due, through the same checks as any callback.

    A callback about a shipment whose dispatch is not recorded yet is sent again in the next run.
    """
    if "sandbox" not in settings.CARRIERS:
        return
    for label, scans, is_whole in sandbox.due_call_backs(at_most):
        try:
            for scan in scans:
                note_scan("sandbox", sandbox.read_call_back(*sandbox.call_back(scan)))
        except NotFound:
            continue
        except Refused as refusal:
            log.warning("a callback about %s was refused: %s", label, refusal)
        if is_whole:
            sandbox.note_played(label)
