"""Whatever happens names its story, its cause and its actor, and no function has to hand them on."""

from integration.domain.events import Recorded
from integration.domain.identifiers import Sku, new_event_id
from integration.domain.metadata import (
    Cause,
    Metadata,
    act_as,
    because_of,
    cause_put_back,
    caused_by,
    current_cause,
    has_cause,
    join_story,
    new_story,
)
from integration.domain.money import Money
from ordering.models import Product

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def _event() -> Recorded:
    return Product.list_for_sale(Sku("MUG"), "Mug", "", Money("1", "USD")).recorded_events[0]


def _metadata_of_an_event() -> Metadata:
    return _event().metadata


def test_where_nobody_set_a_cause_a_story_begins() -> None:
    assert not has_cause()
    assert current_cause().causation_id is None
    assert current_cause().correlation_id != current_cause().correlation_id


def test_an_event_takes_story_actor_and_trace_from_the_cause_in_force() -> None:
    with new_story(actor="user:12", traceparent=TRACE) as cause:
        metadata = _metadata_of_an_event()

    assert metadata.correlation_id == cause.correlation_id
    assert (metadata.causation_id, metadata.actor, metadata.traceparent) == (None, "user:12", TRACE)
    assert not has_cause()


def test_what_is_done_because_of_an_event_names_that_event() -> None:
    with new_story(actor="user:12", traceparent=TRACE):
        first = _metadata_of_an_event()
        with caused_by(first.as_cause("ordering.product_listed")):
            second = _metadata_of_an_event()

    assert second.correlation_id == first.correlation_id
    assert second.causation_id == first.id
    assert (second.actor, second.traceparent) == ("user:12", TRACE)
    assert second.chain == ("ordering.product_listed",)


def test_causes_nest_and_are_put_back() -> None:
    outer, inner = Cause(correlation_id=new_event_id()), Cause(correlation_id=new_event_id())

    with caused_by(outer):
        with caused_by(inner):
            assert current_cause() == inner
        assert current_cause() == outer


def test_a_story_that_only_just_began_may_turn_out_to_be_part_of_another() -> None:
    known = new_event_id()

    with new_story(actor="user:1"):
        join_story(known)
        assert (current_cause().correlation_id, current_cause().actor) == (known, "user:1")


def test_what_an_event_caused_stays_in_its_story_and_keeps_its_actor() -> None:
    cause = Cause(correlation_id=new_event_id(), causation_id=new_event_id(), actor="user:1")

    with caused_by(cause):
        join_story(new_event_id())
        act_as("user:2")
        assert current_cause() == cause


def test_an_event_stands_for_the_cause_that_is_made_of_it_when_somebody_asks() -> None:
    recorded = _event()

    with caused_by(recorded):
        join_story(new_event_id())
        act_as("user:2")
        assert current_cause() == recorded.metadata.as_cause("ordering.product_listed")


def test_what_was_said_to_be_the_cause_meanwhile_is_taken_back() -> None:
    with new_story() as story:
        with cause_put_back():
            because_of(_event())
            because_of(_event())
        assert current_cause() is story


def test_who_acts_may_become_known_after_the_story_began() -> None:
    with new_story():
        act_as("user:7")
        assert current_cause().actor == "user:7"


def test_without_a_story_there_is_none_to_join_or_to_act_in() -> None:
    join_story(new_event_id())
    act_as("user:7")

    assert not has_cause()
