"""Today's code reads an event of any version as the newest version."""

from typing import Any

import pytest

from integration.contracts.contract import IntegrationEvent, contract, contracts
from integration.domain import versions
from integration.domain.events import DomainEvent, domain_event, domain_events
from integration.domain.versions import UnknownVersion, Versioned, from_data, missing_upcasters, to_data, upcast
from integration.messaging.checks import every_version_leads_to_the_newest


@pytest.fixture(autouse=True)
def own_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the events and upcasters of a test afterwards."""
    for names in (contracts, domain_events):
        monkeypatch.setattr(names, "_by_name", dict(names.items()))
    monkeypatch.setattr(versions, "_upcasters", dict(versions._upcasters))


def event_in_version_3(kind: str) -> type[Versioned]:
    """An event in version 3. Version 1 had a `door` instead of a `gate`; version 3 added `by`."""
    if kind == "contract":

        @contract("shop.door-opened", version=3)
        class DoorOpenedContract(IntegrationEvent):
            gate: str
            by: str
            speed: int = 0

        return DoorOpenedContract

    @domain_event("shop.door_opened", version=3)
    class DoorOpened(DomainEvent):
        gate: str
        by: str
        speed: int = 0

    return DoorOpened


def with_upcasters(event: type[Versioned]) -> type[Versioned]:
    @upcast(event, from_version=1)
    def a_door_is_a_gate(data: dict[str, Any]) -> dict[str, Any]:
        data["gate"] = data.pop("door")
        return data

    @upcast(event, from_version=2)
    def somebody_opened_it(data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "by": "somebody"}

    return event


@pytest.mark.parametrize("kind", ["contract", "domain event"])
@pytest.mark.parametrize(
    ("version", "data"),
    [
        (1, {"door": "north", "speed": 3, "colour": "red"}),
        (2, {"gate": "north", "speed": 3, "colour": "red"}),
        (3, {"gate": "north", "by": "somebody", "speed": 3, "colour": "red"}),
    ],
)
def test_an_event_of_any_version_is_read_as_the_newest(kind: str, version: int, data: dict[str, Any]) -> None:
    event = with_upcasters(event_in_version_3(kind))
    before = dict(data)

    assert from_data(event, data, version) == event(gate="north", by="somebody", speed=3)  # type: ignore[call-arg]
    assert data == before, "the stored facts were modified"


def test_a_version_newer_than_the_code_is_refused() -> None:
    with pytest.raises(UnknownVersion, match=r"shop\.door-opened is known up to version 3, and this is version 4"):
        from_data(with_upcasters(event_in_version_3("contract")), {"gate": "north", "by": "somebody"}, 4)


def test_a_version_without_an_upcaster_is_refused() -> None:
    with pytest.raises(UnknownVersion, match=r"shop\.door-opened has no upcaster from version 2"):
        from_data(event_in_version_3("contract"), {"gate": "north"}, 2)


@pytest.mark.parametrize("version", [0, 3, 4])
def test_an_upcaster_to_a_version_that_does_not_exist_is_refused(version: int) -> None:
    with pytest.raises(ValueError, match=f"is in version 3: it has no version after {version}"):
        upcast(event_in_version_3("contract"), from_version=version)(lambda data: data)


def test_a_registered_upcaster_can_be_called_as_before() -> None:
    def unchanged(data: dict[str, Any]) -> dict[str, Any]:
        return data

    assert upcast(event_in_version_3("contract"), from_version=1)(unchanged) is unchanged


def test_two_upcasters_from_one_version_are_refused() -> None:
    event = with_upcasters(event_in_version_3("contract"))
    with pytest.raises(ValueError, match=r"shop\.door-opened has two upcasters from version 1"):
        upcast(event, from_version=1)(lambda data: data)


@pytest.mark.parametrize("kind", ["contract", "domain event"])
def test_a_missing_upcaster_fails_the_system_check(kind: str) -> None:
    event = event_in_version_3(kind)
    assert every_version_leads_to_the_newest(None)[0].id == "waybill.E010"
    assert missing_upcasters(event) == [1, 2]

    upcast(event, from_version=1)(lambda data: data)
    (error,) = every_version_leads_to_the_newest(None)
    assert error.msg == f"no upcaster leads on from version 2 of {event.wire_name}, which is in version 3"
    assert "@upcast(" in str(error.hint)

    upcast(event, from_version=2)(lambda data: data)
    assert every_version_leads_to_the_newest(None) == []


def test_the_values_of_a_set_are_stored_in_one_order_in_every_process() -> None:
    class Tagged(Versioned, frozen=True):
        tags: frozenset[str]
        numbers: set[int]

    tags, numbers = [f"tag-{n:02}" for n in range(20)], [2**n for n in range(20)]

    assert to_data(Tagged(tags=frozenset(reversed(tags)), numbers=set(numbers))) == {"tags": tags, "numbers": numbers}
