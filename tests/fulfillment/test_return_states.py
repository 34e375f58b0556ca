"""The state table of a return: every message in every state."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from fulfillment.events import LineToReturn, ReceivedLine
from fulfillment.models import RETURN_LIFE, Return
from integration.aggregates.aggregate import Aggregate
from integration.domain.identifiers import OrderNumber, ReceiptId, ReturnId, Sku
from integration.domain.money import Money

MUG = Sku("MUG")
SOON = datetime(2030, 1, 1, tzinfo=UTC)
FIRST = ReceiptId("R-1-1-1")


def _requested() -> Return:
    return Return.request(ReturnId("R-1-1"), OrderNumber("R-1"), [LineToReturn(MUG, "Mug", 2, "other", True)], "a note")


def _after(*messages: str) -> Callable[[], Return]:
    def create() -> Return:
        found = _requested()
        for message in messages:
            SEND[message](found)
        return found

    return create


def _close(found: Return) -> None:
    """Close a return of which nothing more is expected, as `lapse` and `settle` do."""
    for line in found.lines:
        line.lapsed = line.expected
    found.receipts = dict.fromkeys(found.receipts, 0)
    found.close_if_done()


SEND: dict[str, Callable[[Return], object]] = {
    "approve": lambda found: found.approve(SOON),
    "refuse": lambda found: found.refuse("used"),
    "receive": lambda found: found.receive([ReceivedLine(MUG, 1, "restock")]),
    "lapse": lambda found: found.lapse(),
    "settle": lambda found: found.settle(FIRST, Money("1.00", "USD")),
    "close": _close,
    "anonymize": lambda found: found.anonymize(),
}
IN_STATE: dict[str, Callable[[], Return]] = {
    "requested": _requested,
    "approved": _after("approve"),
    "refused": _after("refuse"),
    "received": _after("approve", "receive"),
    "closed": _after("approve", "receive", "lapse", "settle"),
}


def test_the_tests_cover_the_whole_state_table() -> None:
    assert set(IN_STATE) == set(RETURN_LIFE.states)
    assert set(SEND) == set(RETURN_LIFE.messages)


@pytest.mark.parametrize("state", IN_STATE)
def test_a_return_reaches_each_state_by_its_own_events(state: str) -> None:
    assert IN_STATE[state]().status == state


@pytest.mark.parametrize("message", SEND)
@pytest.mark.parametrize("state", IN_STATE)
def test_every_message_in_every_state_does_what_the_table_says(
    state: str, message: str, judge_by_table: Callable[[Aggregate, str, Callable[[], object]], None]
) -> None:
    found = IN_STATE[state]()
    if (state, message) == ("approved", "lapse"):
        found.receive([ReceivedLine(MUG, 1, "restock")])  # what is not settled is not closed

    judge_by_table(found, message, lambda: SEND[message](found))
