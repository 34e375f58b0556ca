"""Buyers keep payment methods and pay with their own; an operator plays the bank where the sandbox is the provider."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from billing.models import Payment
from integration.history.personal_data import PersonalData
from ordering.policies.saga import cancel_overdue_orders

METHODS, ORDERS = "/api/v1/payment-methods", "/api/v1/orders"


def test_a_buyer_pays_with_a_method_of_their_own_until_they_remove_it(
    shop: object, buyer: Any, stranger: Any, order_body: dict[str, Any], drain: Callable[..., int]
) -> None:
    response = buyer.post(METHODS, {"provider_token": "pm_card_visa"})
    method = response.json()
    assert (response.status_code, method["kind"], method["brand"], method["last4"]) == (201, "card", "visa", "4242")
    assert "pm_card_visa" not in response.content.decode()
    assert [each["id"] for each in buyer.get(METHODS).json()["results"]] == [method["id"]]
    assert stranger.get(METHODS).json()["results"] == []

    with_own = {**order_body, "payment_method": method["id"]}
    foreign = stranger.post(ORDERS, with_own)
    assert (foreign.status_code, foreign.json()["errors"][0]["pointer"]) == (422, "#/payment_method")
    paid = buyer.post(ORDERS, with_own).json()["number"]
    drain("inventory")
    assert buyer.delete(f"{METHODS}/{method['id']}").status_code == 204
    assert buyer.delete(f"{METHODS}/{method['id']}").status_code == 404
    assert buyer.post(ORDERS, with_own).status_code == 422
    assert "4242" not in str(list(PersonalData.objects.values_list()))
    drain()
    payment = buyer.get(f"{ORDERS}/{paid}").json()["payment"]
    assert (payment["status"], payment["method"]) == ("failed", method["id"])
    assert Payment.objects.get(order=paid).failure == "payment_method_removed"


def test_an_unknown_token_is_refused(shop: object, buyer: Any) -> None:
    for token in ("pm_card_unknown", "4242424242424242", ""):
        response = buyer.post(METHODS, {"provider_token": token})
        assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "#/provider_token")


def test_the_order_shows_what_the_buyer_must_do_and_an_operator_plays_the_bank(
    shop: object, buyer: Any, operator: Any, order_body: dict[str, Any], drain: Callable[..., int]
) -> None:
    body = {**order_body, "payment_method": "pm_card_authenticationRequired"}
    number = buyer.post(ORDERS, body).json()["number"]
    drain()
    payment = buyer.get(f"{ORDERS}/{number}").json()["payment"]
    assert (payment["status"], payment["next_action"]["type"]) == ("action_required", "redirect")
    assert payment["next_action"]["url"].startswith("https://")
    (listed,) = buyer.get(f"{ORDERS}?payment_status=action_required").json()["results"]
    assert listed["payment"] == payment

    played = f"/api/v1/sandbox/payments/P{number[1:]}-1"
    assert operator.get(f"/api/v1/payments/P{number[1:]}-1").json()["status"] == "action_required"
    assert operator.post(f"{played}/settle", {}).status_code == 409
    assert operator.post(f"{played}/nonsense", {}).status_code == 404
    assert operator.post(f"{played}/complete_action", {}).json()["status"] == "succeeded"
    drain()
    payment = buyer.get(f"{ORDERS}/{number}").json()["payment"]
    assert (payment["status"], payment["next_action"]) == ("paid", None)


@pytest.mark.parametrize("days", [1, 8])
def test_a_bank_transfer_settles_after_the_deadline_of_cards_and_still_confirms(
    shop: object,
    buyer: Any,
    operator: Any,
    order_body: dict[str, Any],
    drain: Callable[..., int],
    later: Callable[[timedelta], None],
    days: int,
) -> None:
    number = buyer.post(ORDERS, {**order_body, "payment_method": "pm_bank_transfer"}).json()["number"]
    drain()
    assert buyer.get(f"{ORDERS}/{number}").json()["payment"]["status"] == "pending"
    later(timedelta(days=days))
    cancel_overdue_orders()
    if days == 1:
        assert operator.post(f"/api/v1/sandbox/payments/P{number[1:]}-1/settle", {}).status_code == 200
    drain()
    assert buyer.get(f"{ORDERS}/{number}").json()["status"] == "confirmed"
