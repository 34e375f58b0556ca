"""A shipment on its way: in whatever order its scans arrive, and however often, they lead to one state."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulfillment import events
from fulfillment.events import LineToPack
from fulfillment.models import NAMES, SCANS, AlreadyResolved, NothingToClose, Shipment, TooManyScans, tracking
from integration.domain.address import Address
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku
from integration.domain.states import NotAllowed

ORDER, ID, MUG = OrderNumber("R-1"), ShipmentId("S-1-1"), Sku("MUG")
LONDON = Address("Ada Lovelace", "12 St James's Square", "London", "SW1Y 4JH", "GB")
MORNING = datetime(2026, 3, 2, 8, tzinfo=UTC)

ScanArguments = tuple[str, str, datetime]


def dispatched(*, is_tracked: bool = True) -> Shipment:
    shipment = Shipment.arrange(ID, ORDER, LONDON, [LineToPack(MUG, "Mug", 2)])
    shipment.dispatch("sandbox", "SB1", is_tracked=is_tracked)
    return shipment


def after(*scans: tuple[str, int]) -> Shipment:
    """A shipment that was scanned, each time with a status and at an hour."""
    shipment = dispatched()
    for n, (status, hour) in enumerate(scans):
        shipment.scan(f"e{n}", status, MORNING + timedelta(hours=hour))
    return shipment


def recorded(shipment: Shipment) -> list[Any]:
    return [each.event for each in shipment.recorded_events]


def facts(shipment: Shipment) -> tuple[Any, ...]:
    """All that the scans decide, without the order in which they came."""
    scans = sorted((scan.id, scan.status, scan.at) for scan in shipment.all_scans)
    return shipment.status, shipment.needs_human, scans


some_scans = st.lists(
    st.tuples(
        st.sampled_from([f"e{n}" for n in range(8)]),
        st.sampled_from(SCANS),
        st.integers(0, 3).map(lambda hours: MORNING + timedelta(hours=hours)),
    ),
    unique_by=lambda scan: scan[0],
    min_size=1,
    max_size=8,
)


@given(st.data())
def test_scans_in_any_order_twice_and_late_lead_to_one_state(data: st.DataObject) -> None:
    scans = data.draw(some_scans)
    again = data.draw(st.lists(st.sampled_from(scans), max_size=4))
    in_another_order = data.draw(st.permutations([*scans, *again]))

    one, other = dispatched(), dispatched()
    for scan in scans:
        one.scan(*scan)
    for scan in in_another_order:
        other.scan(*scan)

    assert facts(one) == facts(other)
    _, status, at = max(scans, key=lambda scan: (scan[2], SCANS.index(scan[1])))
    assert NAMES[one.status] == status
    assert at == max(scan.at for scan in one.all_scans)


@given(some_scans)
def test_the_row_is_what_its_events_say(scans: list[ScanArguments]) -> None:
    shipment = dispatched()
    for scan in scans:
        shipment.scan(*scan)

    again = Shipment()
    for event in recorded(shipment):
        again.apply(event)

    assert (again.status, again.scans, again.is_tracked) == (shipment.status, shipment.scans, shipment.is_tracked)


@given(some_scans)
def test_each_change_of_status_has_a_higher_sequence_than_the_one_before(scans: list[ScanArguments]) -> None:
    shipment = dispatched()
    for scan in scans:
        shipment.scan(*scan)

    changes = [event for event in recorded(shipment)[2:] if not isinstance(event, events.ShipmentScanned)]
    sequences = [event.sequence for event in changes]
    assert sequences == sorted(set(sequences))
    assert sequences[0] >= 1


def test_what_was_taken_for_lost_may_arrive() -> None:
    shipment = after(("lost", 1), ("delivered", 2))

    assert shipment.status == "delivered"
    assert not shipment.needs_human


def test_of_two_scans_of_one_moment_the_higher_rank_counts() -> None:
    assert after(("delivered", 1), ("lost", 1)).status == "delivered"
    assert after(("lost", 1), ("delivered", 1)).status == "delivered"
    assert after(("delivery_failed", 1), ("in_transit", 1)).status == "failed"


def test_a_late_scan_changes_nothing_but_is_stored() -> None:
    shipment = after(("delivered", 2), ("in_transit", 1))

    assert shipment.status == "delivered"
    assert [scan.status for scan in shipment.all_scans] == ["delivered", "in_transit"]
    assert isinstance(recorded(shipment)[-1], events.ShipmentScanned)


def test_a_delivery_fails_and_succeeds() -> None:
    shipment = after(("in_transit", 1), ("delivery_failed", 2), ("in_transit", 3), ("delivered", 4))

    kinds = [type(event) for event in recorded(shipment) if not isinstance(event, events.ShipmentScanned)]
    assert kinds[2:] == [events.ShipmentTracked] * 3 + [events.ShipmentDelivered]
    assert shipment.status == "delivered"


@pytest.mark.parametrize("status", SCANS)
def test_what_has_not_left_or_was_cancelled_is_not_scanned(status: str) -> None:
    arranged = Shipment.arrange(ID, ORDER, LONDON, [LineToPack(MUG, "Mug", 2)])
    with pytest.raises(NotAllowed):
        arranged.scan("e1", status, MORNING)

    arranged.stop("by_buyer")
    with pytest.raises(NotAllowed):
        arranged.scan("e1", status, MORNING)


def test_a_shipment_has_a_limited_number_of_scans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "MAX_SCANS", 2)
    shipment = after(("in_transit", 1), ("in_transit", 2))

    with pytest.raises(TooManyScans):
        shipment.scan("e9", "delivered", MORNING)
    shipment.scan("e1", "in_transit", MORNING)  # it is known

    assert len(shipment.all_scans) == 2


# --- What operators say ---


def test_a_shipment_without_scans_is_delivered_without_one() -> None:
    shipment = dispatched(is_tracked=False)
    shipment.deliver()

    assert recorded(shipment)[-1] == events.ShipmentDelivered(shipment=ID, order=ORDER)
    assert shipment.scans is None


def test_what_an_operator_says_counts_even_if_the_clock_of_the_carrier_is_ahead() -> None:
    shipment = dispatched()
    ahead = datetime.now(UTC) + timedelta(hours=5)
    shipment.scan("e1", "in_transit", ahead)

    shipment.lose("the carrier says so")

    assert shipment.status == "lost"
    assert shipment.all_scans[-1].at == ahead
    shipment.scan("e2", "in_transit", ahead)
    assert shipment.status == "lost"


def test_a_carrier_that_finds_the_parcel_outranks_an_operator() -> None:
    shipment = dispatched(is_tracked=True)
    shipment.lose()
    shipment.scan("e1", "delivered", shipment.all_scans[-1].at)

    assert shipment.status == "delivered"


# --- The decision ---


@pytest.mark.parametrize("resolution", ["refund", "send_again"])
@pytest.mark.parametrize("status", ["lost", "returned_to_sender"])
def test_the_first_decision_counts(status: str, resolution: str) -> None:
    shipment = after((status, 1))
    assert shipment.needs_human

    shipment.resolve(resolution)

    assert recorded(shipment)[-1] == events.ShipmentResolved(
        shipment=ID, order=ORDER, status=status, resolution=resolution, quantities={MUG: 2}
    )
    assert not shipment.needs_human
    for other in ("refund", "send_again"):
        with pytest.raises(AlreadyResolved):
            shipment.resolve(other)


@pytest.mark.parametrize("status", [scan for scan in SCANS if scan not in ("lost", "returned_to_sender")])
def test_only_what_is_lost_or_came_back_is_decided_about(status: str) -> None:
    with pytest.raises(NotAllowed):
        after((status, 1)).resolve("refund")


@pytest.mark.parametrize("status", SCANS)
def test_a_scan_after_the_decision_changes_nothing_and_becomes_a_task(status: str) -> None:
    shipment = after(("lost", 1))
    shipment.resolve("refund")

    shipment.scan("late", status, MORNING + timedelta(hours=2))
    shipment.scan("late", status, MORNING + timedelta(hours=2))

    assert (shipment.status, shipment.resolution, shipment.needs_human) == ("lost", "refund", True)
    kinds = [type(event) for event in recorded(shipment)]
    assert kinds[-2:] == [events.ShipmentScanned, events.ShipmentScannedLate]
    assert kinds.count(events.ShipmentScannedLate) == 1

    shipment.close_task("the buyer keeps it")
    assert not shipment.needs_human
    with pytest.raises(NothingToClose):
        shipment.close_task("again")


@pytest.mark.parametrize("say", ["deliver", "return_to_sender"])
def test_an_operator_does_not_overturn_a_decision(say: str) -> None:
    shipment = after(("lost", 1))
    shipment.resolve("send_again")

    with pytest.raises(AlreadyResolved):
        getattr(shipment, say)()


def test_the_history_of_an_erased_recipient_gets_no_note() -> None:
    shipment = after(("lost", 1))
    shipment.anonymize()

    shipment.scan("e2", "delivered", MORNING + timedelta(hours=2), "left with Ada's neighbour")

    assert [event.note for event in recorded(shipment) if isinstance(event, events.ShipmentScanned)] == ["", ""]
