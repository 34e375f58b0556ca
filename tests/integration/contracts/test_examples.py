"""An example is made of every type that a field may have, and today's code reads the example."""

import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, Literal, Optional
from uuid import UUID

import msgspec
import pytest

from integration.contracts.examples import BY_TYPE, NoExample, example_of
from integration.domain.address import Address
from integration.domain.identifiers import OrderNumber, Sku
from integration.domain.money import Money
from integration.domain.personal import PersonalAddress, PersonalAddressIfAny, PersonalPaymentMethod, PersonalText
from integration.domain.versions import Versioned, from_data, to_data


class Tier(StrEnum):
    GOLD = "gold"


class Colour(Enum):
    RED = 1


class Rank(IntEnum):
    FIRST = 1


class Part(msgspec.Struct, frozen=True):
    sku: Sku
    colour: Colour


class Line(msgspec.Struct, frozen=True):
    parts: tuple[Part, ...]
    note: str | None = None


def event_of(kind: Any) -> type[Versioned]:
    return msgspec.defstruct("Happened", [("fact", kind)], bases=(Versioned,), frozen=True)


@pytest.mark.parametrize(
    "kind",
    [
        *BY_TYPE,
        *(PersonalText, PersonalAddress, PersonalAddressIfAny, PersonalPaymentMethod),
        *(str | None, None | int, Optional[Money], Line | None, Annotated[int, msgspec.Meta(title="A number")]),  # noqa: UP045
        *(tuple[int, ...], tuple[int, str, Money], tuple[Line, ...], list[Sku], set[str], frozenset[Sku]),
        *(dict[str, int], dict[Sku, Line], dict[date, Money], dict[UUID, tuple[Line, ...]]),
        *(Literal["web", "app"], Literal[1, 2], Tier, Colour, Rank, Tier | None, Part, Line, Address),
        *(bool, float, date, datetime, time, timedelta, Decimal, UUID, OrderNumber),
    ],
    ids=str,
)
def test_the_example_of_a_type_is_read_as_that_type(kind: Any) -> None:
    event = event_of(kind)
    example = example_of(event)

    read = from_data(event, json.loads(json.dumps(example)), 1)
    assert json.loads(json.dumps(to_data(read))) == example


def test_an_optional_field_has_the_example_of_its_value() -> None:
    assert example_of(event_of(None | int)) == {"fact": 2}
    assert example_of(event_of(Tier | None)) == {"fact": "gold"}


def test_a_type_without_an_example_is_refused_with_the_field_and_the_remedy() -> None:
    class Wrapper(msgspec.Struct, frozen=True):
        content: bytes

    with pytest.raises(NoExample, match=r"^Happened\.fact: Wrapper\.content: no example of <class 'bytes'> is known"):
        example_of(event_of(Wrapper))
