"""Consumers over REST: how each one stands, and who paused it."""

from datetime import timedelta
from typing import Any

import pytest
from api_calls import kind_of

from integration.domain import clock
from integration.messaging.consumer_states import ITSELF, pause, states
from integration.messaging.consumers import consumers
from integration.messaging.holding import hold_and_release
from integration.messaging.models import Delivery
from integration.messaging.standing import standing

NAME = "inventory.reserve-stock"
PATH = f"/api/v1/consumers/{NAME}"


def _one(operator: Any) -> dict[str, Any]:
    results = operator.get("/api/v1/consumers").json()["results"]
    return next(each for each in results if each["name"] == NAME)


def test_every_consumer_is_listed_with_its_schedule(operator: Any, shop: object) -> None:
    page = operator.get("/api/v1/consumers").json()

    assert (page["next"], page["previous"]) == (None, None)
    assert [each["name"] for each in page["results"]] == [name for name, _ in consumers.items()]
    by_name = {each["name"]: each for each in page["results"]}
    assert by_name[NAME]["retries"] == {"attempts": 8, "longest_wait": 600.0, "lasts": 127.0}
    assert by_name["billing.collect-payment"]["external"] is True
    assert by_name["billing.collect-payment"]["retries"]["lasts"] > 2 * 86_400


def test_the_depth_counts_what_is_held(operator: Any, placed: Any, drain: Any) -> None:
    drain()
    assert operator.post(f"{PATH}/pause", {"reason": "stock is counted"}).status_code == 200
    placed()
    assert _one(operator)["depth"] == 1
    hold_and_release()

    shown = _one(operator)
    assert (shown["depth"], shown["waiting"], shown["dead"]) == (1, 0, 0)
    with clock.standing_at(clock.now()), clock.moved(timedelta(seconds=61.26 - standing(NAME).oldest)):
        assert _one(operator)["oldest"] == 61.3
    assert Delivery.objects.get(consumer=NAME, status="pending").attempts == 0


def test_pausing_and_resuming_record_who_did_it(operator: Any, shop: object) -> None:
    paused = operator.post(f"{PATH}/pause", {"reason": "stock is counted"}).json()["paused"]
    actor = f"user:{operator.user.pk}"
    assert (paused["by"], paused["reason"], paused["probed_at"]) == (actor, "stock is counted", None)

    resumed = operator.post(f"{PATH}/resume", {})
    assert (resumed.status_code, resumed.json()["paused"]) == (200, None)
    assert states()[NAME].resumed_by == actor


def test_pausing_again_changes_the_reason(operator: Any, shop: object) -> None:
    pause(NAME, "all died", ITSELF)

    shown = operator.post(f"{PATH}/pause", {"reason": "known, being mended"}).json()

    assert shown["paused"]["reason"] == "known, being mended"
    assert shown["paused"]["by"] == f"user:{operator.user.pk}"


@pytest.mark.parametrize(
    ("path", "body", "status", "kind"),
    [
        (f"{PATH}/resume", {}, 409, "not_paused"),
        ("/api/v1/consumers/inventory.nothing/pause", {"reason": "why not"}, 404, "no_such_consumer"),
        ("/api/v1/consumers/inventory.nothing/resume", {}, 404, "no_such_consumer"),
        (f"{PATH}/pause", {}, 422, "invalid_input"),
        (f"{PATH}/pause", {"reason": " "}, 422, "invalid_input"),
        (f"{PATH}/pause", {"reason": "x", "until": "tomorrow"}, 422, "invalid_input"),
    ],
)
def test_what_makes_no_sense_is_refused(
    operator: Any, shop: object, path: str, body: dict[str, str], status: int, kind: str
) -> None:
    response = operator.post(path, body)

    assert (response.status_code, kind_of(response)) == (status, kind)
    assert not states()[NAME].is_paused


def test_a_repeated_request_pauses_once(operator: Any, shop: object) -> None:
    key = {"Idempotency-Key": "pause"}
    first = operator.post(f"{PATH}/pause", {"reason": "stock is counted"}, headers=key)
    operator.post(f"{PATH}/resume", {})
    again = operator.post(f"{PATH}/pause", {"reason": "stock is counted"}, headers=key)

    assert again.json() == first.json()
    assert not states()[NAME].is_paused
