"""The feed and the catalogue of events over REST."""

from typing import Any

import pytest

from integration.contracts.contract import contracts
from integration.messaging.feed import newest
from integration.rest.feed import SET_ASIDE, TooManyWaiting, Waits

FEED = "/api/v1/feed"


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ("after=last", "#/after", "invalid"),
        ("after=-1", "#/after", "invalid"),
        ("after=٣", "#/after", "invalid"),
        ("after=" + "9" * 19, "#/after", "invalid"),
        ("after=" + "9" * 18, "#/after", "unknown_cursor"),
        ("types=ordering.order-lost", "#/types", "unknown_type"),
        ("wait=21", "#/wait", "invalid"),
        ("wait=1.5", "#/wait", "invalid"),
        ("wait=", "#/wait", "invalid"),
        ("until=1", "#/until", "unknown_parameter"),
    ],
)
def test_an_odd_query_is_a_problem(operator: Any, query: str, pointer: str, code: str) -> None:
    response = operator.get(f"{FEED}?{query}")

    assert response.status_code == 422
    assert [(error["pointer"], error["code"]) for error in response.json()["errors"]] == [(pointer, code)]


def test_the_feed_is_read_and_waited_for(operator: Any, placed: Any, drain: Any) -> None:
    placed(), drain()
    waited: list[Waits] = []

    def aside(waits: Waits) -> None:
        waited.append(waits)

    page = operator.get(f"{FEED}?types=ordering.order-placed&wait=20", **{SET_ASIDE: aside}).json()
    assert [event["type"] for event in page["events"]] == ["ordering.order-placed"]
    assert page["cursor"] == str(newest())
    end = operator.get(f"{FEED}?after={page['cursor']}&wait=7", **{SET_ASIDE: aside})
    assert end.json() == {"events": [], "cursor": page["cursor"]}
    assert waited == [
        Waits(20, newest(), frozenset({"ordering.order-placed"}), is_ready=True),
        Waits(7, newest(), frozenset(), is_ready=False),
    ]

    def full(waits: Waits) -> None:
        raise TooManyWaiting

    refused = operator.get(f"{FEED}?after={page['cursor']}&wait=7", **{SET_ASIDE: full})
    assert (refused.status_code, refused["Retry-After"]) == (503, "5")
    assert refused.json()["type"] == "urn:waybill:problem:too_many_waiting"


def test_the_catalogue_has_every_contract(operator: Any) -> None:
    page = operator.get("/api/v1/events/catalog").json()

    by_type = {each["type"]: each for each in page["results"]}
    assert list(by_type) == sorted(name for name, _ in contracts.items())
    placed = by_type["ordering.order-placed"]
    assert placed["publisher"] == "ordering"
    assert "inventory.reserve-stock" in placed["consumers"]
    assert placed["schema"]["$id"] == f"urn:waybill:event:ordering.order-placed:{placed['version']}"
