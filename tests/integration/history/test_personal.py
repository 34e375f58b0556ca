"""Fields that an event's type marks as personal are stored separately from the log, which is complete without them."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Annotated, Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from msgspec import Meta, Struct

from fulfillment.events import ShipmentArranged
from integration.aggregates.rebuild import rows_are_their_histories
from integration.contracts.contract import IntegrationEvent, contract, contracts
from integration.domain.address import ERASED, Address
from integration.domain.events import DomainEvent, domain_event, domain_events
from integration.domain.identifiers import BuyerId, OrderNumber, ShipmentId
from integration.domain.personal import (
    NestedPersonalData,
    PersonalAddress,
    PersonalAddressIfAny,
    PersonalText,
    personal_fields,
    split_personal,
)
from integration.domain.versions import Versioned, from_data, upcast
from integration.history.entries import history_of
from integration.history.personal_data import PersonalData, load_personal
from integration.invariants import invariants
from integration.messaging.models import Message
from ordering.commands import change_profile, register_buyer_if_new
from ordering.events import BuyerProfileChanged, BuyerRegistered
from ordering.models import Buyer, History

Statements = Callable[[], AbstractContextManager[list[str]]]

EMPTY = BuyerProfileChanged(name="", email="", default_shipping_address=None, locale="en", email_notifications=True)


class Note(Struct, frozen=True):
    text: PersonalText


@pytest.fixture
def own_events() -> Any:
    """Remove the events of a test afterwards."""
    before = {names: dict(names._by_name) for names in (domain_events, contracts)}
    yield
    for names, known in before.items():
        names._by_name = known


# --- Marks in types ---


def test_personal_values_are_split_from_the_facts_in_the_log(address: Address) -> None:
    facts, values = split_personal(
        BuyerProfileChanged(
            name="Ada", email="", default_shipping_address=address, locale="en", email_notifications=True
        )
    )

    assert values == {"name": "Ada", "default_shipping_address": {**facts_of(address)}}
    assert (facts["name"], facts["email"], facts["locale"]) == ("", "", "en")
    assert facts["default_shipping_address"] == facts_of(address.erased())
    assert from_data(BuyerProfileChanged, facts, 1).default_shipping_address == address.erased()


def facts_of(address: Address) -> dict[str, str]:
    return {part: value for part in address.__struct_fields__ if (value := getattr(address, part))}


def test_empty_values_are_not_personal_data() -> None:
    assert split_personal(EMPTY)[1] == {}


def test_an_erased_address_has_its_country_and_no_personal_values(address: Address) -> None:
    assert address.erased() == Address(ERASED, ERASED, ERASED, ERASED, "GB")
    assert (
        split_personal(
            ShipmentArranged(shipment=ShipmentId("S-1"), order=OrderNumber("R-1"), recipient=address.erased(), lines=())
        )[1]
        == {}
    )


@pytest.mark.parametrize(
    "kind",
    [Note, tuple[Note, ...], dict[str, PersonalText], PersonalText | None, list[PersonalAddress | None]],
    ids=["a structure", "structures", "by key", "or nothing", "several"],
)
@pytest.mark.parametrize(("base", "name"), [(DomainEvent, domain_event), (IntegrationEvent, contract)])
@pytest.mark.usefixtures("own_events")
def test_a_mark_inside_a_field_is_refused(base: Any, name: Any, kind: Any) -> None:
    event = type("Noted", (base,), {"__annotations__": {"notes": kind}}, frozen=True)
    with pytest.raises(NestedPersonalData, match=r"Noted\.notes: Only a field of the event itself"):
        name("ordering.noted")(event)


def test_other_annotations_are_not_marks() -> None:
    class Counted(Versioned, frozen=True):
        count: Annotated[int, Meta(ge=0, extra={"unit": "piece"})]
        where: PersonalAddressIfAny = None

    assert personal_fields(Counted).keys() == {"where"}


# --- The personal data store ---


@pytest.fixture
def ada(db: None, address: Address) -> Buyer:
    """A buyer with a name and an address."""
    register_buyer_if_new(BuyerId("B-1"))
    change_profile(BuyerId("B-1"), {"name": "Ada", "default_shipping_address": address})
    return Buyer.objects.get()


def test_a_row_loads_its_personal_values_on_request(ada: Buyer, statements: Statements) -> None:
    entry = History.objects.get(name=BuyerProfileChanged.wire_name)
    assert entry.data["name"] == ""
    with statements() as seen:
        assert entry.event.name == entry.facts["name"] == "Ada"  # type: ignore[attr-defined]
    assert len(seen) == 1


def test_personal_values_of_many_rows_are_loaded_in_one_query(ada: Buyer, statements: Statements) -> None:
    for n in range(3):
        change_profile(BuyerId("B-1"), {"name": f"Ada {n}"})
    entries = list(History.objects.all())
    with statements() as seen:
        assert [entry.event.name for entry in load_personal(entries)] == ["", "Ada", "Ada 0", "Ada 1", "Ada 2"]  # type: ignore[attr-defined]
    assert len(seen) == 1
    plain = History(id=uuid4(), name="ordering.product_changed", schema_version=1, data={})
    unknown = History(id=uuid4(), name="ordering.of_tomorrow", schema_version=1, data={})
    plain._state.adding = unknown._state.adding = False
    with statements() as seen:
        load_personal([plain, unknown])
    assert seen == []


@pytest.mark.django_db
@pytest.mark.usefixtures("own_events")
def test_fields_that_only_an_older_version_marked_are_loaded() -> None:
    @domain_event("ordering.parcel_left", version=2)
    class ParcelLeft(DomainEvent):
        where: str

    upcast(ParcelLeft, from_version=1)(lambda facts: {"where": f"with {facts['neighbour']}"})
    entry = History(id=uuid4(), name="ordering.parcel_left", schema_version=1, data={"neighbour": ""})
    entry._state.adding = False
    PersonalData.objects.create(id=entry.id, event_id=entry.id, values={"neighbour": "Bob"})

    assert entry.event == ParcelLeft(where="with Bob")


# --- The migration out of the log ---


def _migrate_back() -> None:
    call_command("migrate", "ordering", "0003", verbosity=0)
    call_command("migrate", "fulfillment", "0003", verbosity=0)
    call_command("migrate", "billing", "0004", verbosity=0)
    call_command("migrate", "integration", "0005", verbosity=0)


def _log_rows() -> dict[str, list[Any]]:
    tables = [*(history_of(context) for context in ("ordering", "billing", "fulfillment")), Message]
    return {table._meta.label: list(table.objects.order_by("pk").values("pk", "name", "data")) for table in tables}


@pytest.mark.django_db(transaction=True)
def test_the_migration_moves_values_out_of_the_log_and_is_reversible(
    placed: Callable[..., OrderNumber],
    drain: Callable[..., int],
    address: Address,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("integration.history.moving_out.CHUNK", 2)
    placed()
    placed({"RELIC": 1})
    drain()
    change_profile(BuyerId("B-1"), {"name": "Ada", "default_shipping_address": address})
    stored_before = {each.pk: (each.event_id, each.values) for each in PersonalData.objects.all()}
    log_before = _log_rows()
    newer = {*Message.objects.filter(name="ordering.payer-named").values_list("pk", flat=True)}
    assert len(stored_before) > 8
    _migrate_back()
    try:
        assert {*PersonalData.objects.values_list("pk", flat=True)} == newer
        profile = History.objects.values_list("data", flat=True).get(name=BuyerProfileChanged.wire_name)
        assert profile["default_shipping_address"]["street"] == address.street
        assert Message.objects.get(name="ordering.shipping-requested").data["recipient"]["street"] == address.street
    finally:
        call_command("migrate", verbosity=0)

    assert {each.pk: (each.event_id, each.values) for each in PersonalData.objects.all()} == stored_before
    assert _log_rows() == log_before
    offenders = rows_are_their_histories().offenders
    dropped = (": key is ''", ": taxes is None", ": documented is False")  # going back drops these columns
    assert [each for each in offenders if not any(column in each for column in dropped)] == []
    assert invariants.get("events.history_is_append_only").check().complaints == []


@pytest.mark.django_db
def test_events_without_their_erased_values_can_be_read(ada: Buyer) -> None:
    PersonalData.objects.all().delete()
    assert History.objects.get(name=BuyerProfileChanged.wire_name).event == BuyerProfileChanged(
        name="",
        email="",
        default_shipping_address=Address(ERASED, ERASED, ERASED, ERASED, "GB"),
        locale="en",
        email_notifications=True,
    )
    assert isinstance(History.objects.get(name=BuyerRegistered.wire_name).event, BuyerRegistered)


def test_the_repr_of_a_mark_is_the_same_in_every_process() -> None:
    assert " at 0x" not in repr([event.__annotations__ for _, event in domain_events.items()])
