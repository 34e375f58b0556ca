"""Events are immutable, have a wire name, and are unchanged after serialization."""

import json
import re
import types
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
import pytest
from django.conf import settings as django_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from iso3166 import countries_by_alpha2

from integration.contracts import IntegrationEvent, contracts
from integration.domain.address import LONGEST, Address
from integration.domain.events import CannotSay, DomainEvent, domain_event, domain_events
from integration.domain.identifiers import OrderNumber, Sku
from integration.domain.money import Money
from integration.domain.personal import PersonalText, personal_fields
from integration.domain.sentences import fields_of
from integration.domain.versions import Versioned, from_data, to_data
from inventory.events import GoodsReserved, ReservationReleased, ReservedLine, StockAdjusted, StockReceived

EVENTS: list[type[Versioned]] = [kind for names in (domain_events, contracts) for _, kind in names.items()]

moneys = st.builds(Money.of_minor, st.integers(-(10**12), 10**12), st.sampled_from(["USD", "JPY", "KWD"]))
addresses = st.builds(
    Address,
    **{part: st.text(min_size=1, max_size=20).filter(str.strip) for part in LONGEST},
    country=st.sampled_from(sorted(countries_by_alpha2)),
)
BY_TYPE: Mapping[Any, st.SearchStrategy[Any]] = {
    Money: moneys,
    Address: addresses,
    str: st.text(max_size=20),
    int: st.integers(-(2**31), 2**31),
    bool: st.booleans(),
    Decimal: st.decimals(0, 100, places=3),
    datetime: st.datetimes(timezones=st.just(UTC)),
    types.NoneType: st.none(),
}


def _values(kind: Any) -> st.SearchStrategy[Any]:
    """A strategy for every value that a field of this type can have."""
    if get_origin(kind) is Annotated:
        return _values(get_args(kind)[0])
    kind = getattr(kind, "__supertype__", kind)
    if kind in BY_TYPE:
        return BY_TYPE[kind]
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if get_origin(kind) in (Union, types.UnionType):
        return st.one_of(*map(_values, get_args(kind)))
    if get_origin(kind) is tuple:
        return st.lists(_values(get_args(kind)[0]), max_size=3).map(tuple)
    if get_origin(kind) is dict:
        return st.dictionaries(*map(_values, get_args(kind)), max_size=3)
    return st.builds(kind, **{field.name: _values(field.type) for field in msgspec.structs.fields(kind)})


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.wire_name)
class TestEveryEvent:
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(data=st.data())
    def test_is_unchanged_after_serialization(self, kind: type[Versioned], data: st.DataObject) -> None:
        event = data.draw(_values(kind))

        stored = json.loads(json.dumps(to_data(event)))

        assert from_data(kind, stored, kind.schema_version) == event

    @settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(data=st.data())
    def test_ignores_unknown_fields(self, kind: type[Versioned], data: st.DataObject) -> None:
        event = data.draw(_values(kind))

        assert from_data(kind, {**to_data(event), "a field of tomorrow": 1}, kind.schema_version) == event

    @settings(max_examples=1, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(data=st.data())
    def test_cannot_be_changed(self, kind: type[Versioned], data: st.DataObject) -> None:
        event = data.draw(_values(kind))

        with pytest.raises(AttributeError):
            setattr(event, msgspec.structs.fields(kind)[0].name, None)

    def test_is_named_after_its_context_and_carries_a_version(self, kind: Any) -> None:
        pattern = r"[a-z]+\.[a-z_]+" if issubclass(kind, DomainEvent) else r"[a-z]+\.[a-z-]+"

        assert re.fullmatch(pattern, kind.wire_name)
        assert kind.wire_name.partition(".")[0] == kind.__module__.removeprefix("integration.contracts.").split(".")[0]
        assert kind.schema_version >= 1


def test_every_context_has_domain_events_and_contracts() -> None:
    contexts = {"ordering", "inventory", "billing", "fulfillment"}

    for names in (domain_events, contracts):
        assert {name.partition(".")[0] for name, _ in names.items()} >= contexts


def test_no_domain_event_is_a_contract() -> None:
    assert not any(issubclass(kind, DomainEvent) for _, kind in contracts.items())
    assert not any(issubclass(kind, IntegrationEvent) for _, kind in domain_events.items())


def test_no_two_events_share_a_wire_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain_events, "_by_name", {})

    @domain_event("shop.door_opened")
    class DoorOpened(DomainEvent):
        at: int

    assert domain_events.get("shop.door_opened") is DoorOpened
    with pytest.raises(ValueError, match=r"two domain events are named 'shop\.door_opened'"):

        @domain_event("shop.door_opened")
        class DoorLeftOpen(DomainEvent):
            at: int


@pytest.mark.parametrize(
    "data",
    [{}, {"invoice": 7}, {"amount": "a lot"}, {"amount": {"amount": "1.00"}}],
    ids=["nothing", "a number for a name", "words for money", "money without a currency"],
)
def test_facts_of_the_wrong_type_are_refused(data: dict[str, object]) -> None:
    paid = domain_events.get("billing.invoice_paid")
    valid = {
        "invoice": "I-1",
        "order": "R-1",
        "payment": "P-1-1",
        "amount": {"amount": "1.00", "currency": "USD"},
    }

    assert from_data(paid, valid, 1).amount == Money(Decimal(1), "USD")  # type: ignore[attr-defined]
    with pytest.raises(msgspec.ValidationError):
        from_data(paid, {**valid, **data} if data else {}, 1)


def test_an_event_has_a_summary() -> None:
    too_late = from_data(
        domain_events.get("ordering.order_paid_too_late"),
        {"order": "R-1", "payment": "P-1-1", "paid": {"amount": "1.00", "currency": "USD"}},
        1,
    )

    assert too_late.summary == "1.00 USD arrived for order R-1 after it was cancelled"


@pytest.mark.parametrize("says", ["{nothing} happened", "{note} was written", "{key} got {amount} and {colour}"])
def test_a_sentence_names_only_fields_that_are_not_personal(says: str) -> None:
    class Noted(DomainEvent, frozen=True):
        note: PersonalText
        amount: Money

    with pytest.raises(CannotSay):
        domain_event("tests.noted", says=says)(Noted)


def test_a_sentence_is_made_of_the_class_name_by_default() -> None:
    class ShelfPainted(DomainEvent, frozen=True):
        pass

    try:
        assert domain_event("tests.shelf_painted")(ShelfPainted)().summary == "Shelf painted"
    finally:
        domain_events._by_name.pop("tests.shelf_painted")


@pytest.mark.parametrize(("name", "event"), list(domain_events.items()))
def test_sentences_carry_amount_sku_and_reason(name: str, event: type[DomainEvent]) -> None:
    said = fields_of(event.says)
    fields = {*event.__struct_fields__} - {*personal_fields(event)}

    assert said, "not only the words of the class name"
    about = {"key", "order", "invoice", "payment", "document", "method", "shipment", "buyer", "sku"}
    assert said & about, "what it is about"
    assert {"reason", "carrier", "tracking_number", "quantities", "shortages"} & fields <= said
    assert "sku" not in fields or "sku" in said
    if {"quantity", "delta"} & fields:
        assert "key" in said, "which sku"
    money = {"amount", "total", "paid", "price", "refunded", "returned", "spend"} & fields
    assert not money or money & said


def test_sentences_are_short_and_in_words() -> None:
    lines = tuple(ReservedLine(Sku(f"SKU-{i}"), i + 1) for i in range(2_000))

    assert GoodsReserved(order=OrderNumber("R-1"), lines=lines).summary == (
        "1 × SKU-0, 2 × SKU-1, 3 × SKU-2 and 1997 more were reserved for order R-1"
    )
    assert ReservationReleased(order=OrderNumber("R-1"), reason="payment_timeout").summary == (
        "The goods of order R-1 became available again (payment timeout)"
    )
    assert StockReceived(quantity=5, reference="").sentence("MUG") == "5 × MUG arrived"
    assert StockReceived(quantity=5, reference="D-1").sentence("MUG") == "5 × MUG arrived (D-1)"
    assert StockAdjusted(delta=-2, reason="broken").sentence("MUG") == "The stock of MUG was adjusted by -2 (broken)"


def structs(kind: type[msgspec.Struct] = msgspec.Struct) -> Iterator[type[msgspec.Struct]]:
    """Yield all kinds of struct that are imported."""
    for each in kind.__subclasses__():
        yield each
        yield from structs(each)


def test_values_cannot_be_changed_as_little_as_the_events_that_carry_them() -> None:
    packages = {"integration", *django_settings.CONTEXTS}
    kinds = [kind for kind in structs() if kind.__module__.partition(".")[0] in packages]
    changeable = {kind for kind in kinds if not kind.__struct_config__.frozen}
    assert {kind.__module__ for kind in changeable} <= {"billing.reconciliation"}  # a report that is being made
    assert {Address, ReservedLine} < set(kinds)
