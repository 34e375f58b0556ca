"""Identifiers are unique, sort by creation time, and are short enough to spell out on the telephone."""

import re
from copy import deepcopy
from uuid import UUID, SafeUUID

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.identifiers import SKU_PATTERN, OrderNumber, event_ids_made_by, new_event_id, sibling, uuid_of
from integration.storage.order_numbers import next_order_number


def test_event_ids_are_unique_and_sort_by_creation_time() -> None:
    ids = [new_event_id() for _ in range(10_000)]

    assert len(set(ids)) == len(ids)
    assert sorted(ids) == ids
    assert {id.version for id in ids} == {7}


def test_an_event_id_is_a_uuid_like_any_other() -> None:
    made = new_event_id()

    assert (type(made), made.is_safe) == (UUID, SafeUUID.unknown)
    assert made == UUID(str(made)) == deepcopy(made)


def test_a_simulation_can_supply_the_event_ids() -> None:
    with event_ids_made_by(lambda: UUID(int=7)):
        assert new_event_id() == UUID(int=7)

    assert new_event_id().version == 7


def test_an_object_of_an_order_carries_the_orders_digits() -> None:
    assert sibling("I", OrderNumber("R-1001")) == "I-1001"
    assert sibling("S", OrderNumber("R-1001"), 1) == "S-1001-1"


@pytest.mark.parametrize("sku", ["A", "7", "MUG-ENAMEL-BLUE", "85123A", "A.B_C-9", "X" * 40])
def test_a_sku_consists_of_capitals_digits_and_a_few_marks(sku: str) -> None:
    assert re.fullmatch(SKU_PATTERN, sku)


@pytest.mark.parametrize("sku", ["", "mug", "-A", ".A", "A B", "Ä", "A/B", "A\n", "X" * 41])
def test_other_texts_are_not_skus(sku: str) -> None:
    assert not re.fullmatch(SKU_PATTERN, sku)


@pytest.mark.django_db
def test_order_numbers_count_up() -> None:
    first, second = (int(next_order_number().removeprefix("R-")) for _ in range(2))

    assert second == first + 1 > 1001


@pytest.mark.django_db(transaction=True)
def test_two_orders_never_share_a_number_even_if_one_fails_between_them() -> None:
    with unit_of_work():
        first = next_order_number()
    with unit_of_work():
        next_order_number()
        transaction.set_rollback(True)
    with unit_of_work():
        second = next_order_number()

    assert first != second


@given(number=st.integers(0, 2**128 - 1))
def test_the_uuid_of_a_number_is_the_standard_librarys(number: int) -> None:
    made, expected = uuid_of(number), UUID(int=number)
    assert (made, hash(made), made.hex, made.is_safe) == (expected, hash(expected), expected.hex, expected.is_safe)
    assert deepcopy(made) == expected
