"""A corrupted stored message is handled or keeps its error; other messages are not affected."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integration.contracts.contract import contracts
from integration.domain import clock
from integration.domain.identifiers import OrderNumber
from integration.messaging.claim import due_delivery_queues
from integration.messaging.deliver import deliver_due
from integration.messaging.models import Delivery, Message, Status
from inventory.models import Reservation
from ordering.models import Order

Place = Callable[..., OrderNumber]

text = st.text(max_size=20) | st.sampled_from(["", "\x00", "a\x00b", "R-1", "USD", "999999999999", "x" * 5_000])
numbers = st.integers() | st.sampled_from([-1, 0, 2**31, 2**63, 10**40, 0.1, 1e308])
anything = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def mutations(draw: st.DrawFn) -> Callable[[Any], Any]:
    """A function that corrupts a message's data: it replaces, removes, adds or duplicates a value at some place."""
    depth, place = draw(st.integers(0, 3)), draw(st.integers(0, 9))
    how, value = draw(st.sampled_from(["replace", "remove", "add", "duplicate"])), draw(anything)

    def mutate(data: Any, left: int = depth) -> Any:
        if not isinstance(data, dict | list) or not data:
            return value
        keys = sorted(data) if isinstance(data, dict) else list(range(len(data)))
        key = keys[place % len(keys)]
        if left:
            data[key] = mutate(data[key], left - 1)
        elif how == "replace":
            data[key] = value
        elif how == "remove":
            del data[key]
        elif isinstance(data, dict):
            data["extra" if how == "add" else f"{key} again"] = value
        else:
            data.append(data[key] if how == "duplicate" else value)
        return data

    return mutate


names = st.sampled_from([name for name, _ in contracts.items()]) | st.sampled_from(
    ["ordering.order-eaten", "", "\u2603"]
)
versions = st.sampled_from([0, 1, 1, 1, 2, 32_767])


@pytest.fixture
def stopped() -> Iterator[None]:
    with clock.standing_at(clock.now()):
        yield


def storable(value: Any) -> Any:
    """The value without what PostgreSQL cannot store in JSON: NUL characters and lone surrogates."""
    match value:
        case dict():
            return {storable(key): storable(inner) for key, inner in value.items()}
        case list():
            return [storable(inner) for inner in value]
        case str():
            return value.replace("\x00", "\\x00").encode("utf-8", "replace").decode()
        case _:
            return value


@settings(
    max_examples=2_000 if settings.get_current_profile_name() == "chaos" else 30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(mutate=mutations(), name=st.none() | names, version=versions)
def test_a_mutated_message_does_not_affect_other_messages(
    placed: Place, stopped: None, mutate: Callable[[Any], Any], name: str | None, version: int
) -> None:
    with transaction.atomic():
        mutated, neighbour = placed({"MUG": 1}), placed({"MUG": 1})
        message = Message.objects.get(name="ordering.order-placed", data__order=mutated)
        data = storable(mutate(message.data))
        Message.objects.filter(pk=message.pk).update(data=data, name=name or message.name, version=version)

        for seconds in [0, *[1] * 5, *[130] * 8]:
            clock.advance(timedelta(seconds=seconds))
            while delivery_queues := due_delivery_queues():
                for delivery_queue in sorted(delivery_queues):
                    deliver_due(delivery_queue)

        for delivery in Delivery.objects.filter(message=message):
            assert delivery.status == Status.DONE or (delivery.status != Status.SKIPPED and delivery.error)
        assert Reservation.objects.get(pk=neighbour).status == "committed"
        assert Order.objects.get(pk=neighbour).status == "confirmed"
        transaction.set_rollback(True)
