"""Every event names its story, its cause and its actor, and no function has to pass them on."""

from integration.domain.events import Recorded
from integration.domain.identifiers import Sku, new_event_id
from integration.domain.metadata import (
    Cause,
    Metadata,
    act_as,
    caused_by,
    current_cause,
    has_cause,
    join_story,
    new_story,
    preserve_cause,
    set_cause,
)
from integration.domain.money import Money
from ordering.models import Product

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def _event() -> Recorded:
    return Product.list_for_sale(Sku("MUG"), "Mug", "", Money("1", "USD")).recorded_events[0]


def _metadata_of_an_event() -> Metadata:
    return _event().metadata


def test_without_a_cause_a_new_story_starts() -> None:
    assert not has_cause()
    assert current_cause().causation_id is None
    assert current_cause().correlation_id != current_cause().correlation_id


def test_an_event_takes_story_actor_and_trace_from_the_current_cause() -> None:
    with new_story(actor="user:12", traceparent=TRACE) as cause:
        metadata = _metadata_of_an_event()

    assert metadata.correlation_id == cause.correlation_id
    assert (metadata.causation_id, metadata.actor, metadata.traceparent) == (None, "user:12", TRACE)
    assert not has_cause()


def test_an_event_names_the_event_that_caused_it() -> None:
    with new_story(actor="user:12", traceparent=TRACE):
        first = _metadata_of_an_event()
        with caused_by(first.as_cause("ordering.product_listed")):
            second = _metadata_of_an_event()

    assert second.correlation_id == first.correlation_id
    assert second.causation_id == first.id
    assert (second.actor, second.traceparent) == ("user:12", TRACE)
    assert second.chain == ("ordering.product_listed",)


def test_causes_nest_and_are_restored() -> None:
    outer, inner = Cause(correlation_id=new_event_id()), Cause(correlation_id=new_event_id())

    with caused_by(outer):
        with caused_by(inner):
            assert current_cause() == inner
        assert current_cause() == outer


def test_a_story_that_has_just_started_can_join_another() -> None:
    known = new_event_id()

    with new_story(actor="user:1"):
        join_story(known)
        assert (current_cause().correlation_id, current_cause().actor) == (known, "user:1")


def test_the_story_and_actor_of_an_events_effects_do_not_change() -> None:
    cause = Cause(correlation_id=new_event_id(), causation_id=new_event_id(), actor="user:1")

    with caused_by(cause):
        join_story(new_event_id())
        act_as("user:2")
        assert current_cause() == cause


def test_a_recorded_event_becomes_a_cause_on_request() -> None:
    recorded = _event()

    with caused_by(recorded):
        join_story(new_event_id())
        act_as("user:2")
        assert current_cause() == recorded.metadata.as_cause("ordering.product_listed")


def test_preserve_cause_restores_the_previous_cause() -> None:
    with new_story() as story:
        with preserve_cause():
            set_cause(_event())
            set_cause(_event())
        assert current_cause() is story


def test_the_actor_can_be_set_after_the_story_started() -> None:
    with new_story():
        act_as("user:7")
        assert current_cause().actor == "user:7"


def test_without_a_story_joining_and_acting_do_nothing() -> None:
    join_story(new_event_id())
    act_as("user:7")

    assert not has_cause()
