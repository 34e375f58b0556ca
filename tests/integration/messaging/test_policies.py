"""The decorators of policies register reactions and refuse a wrong name or option at start."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from integration.contracts.inventory import StockRanOut
from integration.domain import dispatcher
from integration.messaging import consumers
from integration.messaging import routines as routines_module
from integration.policies import every, whenever
from inventory.events import StockReceived


def _do_nothing(event: object) -> None:
    """A handler without an effect."""


@pytest.fixture(autouse=True)
def idle_process(listen: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "_handlers", {StockReceived: []})


def test_a_reaction_to_a_contract_becomes_a_consumer() -> None:
    whenever(StockRanOut, name="ordering.show-out-of-stock")(_do_nothing)

    consumer = consumers.consumers.get("ordering.show-out-of-stock")
    assert (consumer.context, consumer.listens_to, consumer.handle) == ("ordering", StockRanOut, _do_nothing)
    assert (consumer.external, consumer.prepare) == (False, None)
    assert consumers.consumers_of(StockRanOut) == [consumer]


def test_a_reaction_to_a_domain_event_is_called_by_the_dispatcher() -> None:
    assert whenever(StockReceived)(_do_nothing) is _do_nothing

    assert dispatcher.handlers_of(StockReceived) == [_do_nothing]
    assert consumers.consumers.items() == []


def test_a_reaction_to_a_contract_needs_a_name() -> None:
    with pytest.raises(TypeError, match=r"the contract inventory\.stock-ran-out needs a wire name"):
        whenever(StockRanOut)(_do_nothing)

    assert consumers.consumers_of(StockRanOut) == []


def test_only_an_external_reaction_may_have_read() -> None:
    with pytest.raises(TypeError, match="requires external=True"):
        whenever(StockRanOut, name="inventory.count", read=list)(_do_nothing)

    assert consumers.consumers_of(StockRanOut) == []


@pytest.mark.parametrize(
    "option", [{"name": "inventory.count"}, {"external": True}, {"prepare": _do_nothing}, {"read": list}]
)
def test_a_reaction_to_a_domain_event_takes_no_name_and_no_options(option: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="takes no name and no options"):
        whenever(StockReceived, **option)(_do_nothing)

    assert dispatcher.handlers_of(StockReceived) == []


def test_two_reactions_cannot_share_a_name(listen: Callable[..., None]) -> None:
    listen(_do_nothing, name="inventory.reorder")

    with pytest.raises(ValueError, match=r"two consumers are named 'inventory\.reorder'"):
        listen(lambda event: None, name="inventory.reorder")


def test_a_routine_is_registered_under_its_name() -> None:
    @every(timedelta(seconds=5), name="inventory.count-shelves")
    def count() -> None:
        """Count."""

    routine = routines_module.routines.get("inventory.count-shelves")
    assert (routine.context, routine.interval, routine.run) == ("inventory", timedelta(seconds=5), count)
