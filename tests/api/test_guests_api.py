"""A guest's access token opens their one order and nothing else, until a buyer claims the order."""

from collections.abc import Callable
from typing import Any

import pytest
from api_calls import System, errors_of, kind_of, problem_of, routes
from django.core import mail

from billing.models import Invoice
from config.verification import verify
from integration.domain.identifiers import OrderNumber
from integration.history.personal_data import PersonalData
from integration.messaging.models import Message
from integration.read_models.catch_up import catch_up_all
from integration.rest import guests as guests_module
from integration.rest.guests import access_token, guest_with
from ordering.commands import erase_buyer
from ordering.models import Buyer, LifetimeSpend, Order
from ordering.policies import lifetime_spend_discount

BASE = "/api/v1"
EMAIL = "guest@example.com"
FOR_GUESTS = {
    "GET orders/<number:number>",
    "GET orders/<number:number>/timeline",
    "POST orders/<number:number>/cancel",
    "POST orders/<number:number>/payments",
    "POST orders/<number:number>/withdraw",
    "GET invoices/<number:number>",
    "GET returns",
    "POST returns",
    "GET returns/<number:id>",
}


@pytest.fixture
def token(system: System) -> str:
    """The access token of the guest's order."""
    return token_of(system.guests_order)


def token_of(number: str) -> str:
    return access_token(OrderNumber(number), Order.objects.get(pk=number).correlation_id)


@pytest.fixture
def guest(anonymous: Any, token: str) -> Any:
    """A client that sends the access token."""
    anonymous.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return anonymous


def valid() -> None:
    assert [what for finding in verify().values() for what in finding.complaints] == []


# --- What the token opens ---


def test_the_token_opens_the_order_its_timeline_and_its_invoice(guest: Any, system: System) -> None:
    number = system.guests_order
    assert guest.get(f"{BASE}/orders/{number}").json()["number"] == number
    events = guest.get(f"{BASE}/orders/{number}/timeline").json()
    assert {event["context"] for event in events} >= {"ordering", "billing", "fulfillment"}
    invoice = guest.get(f"{BASE}/invoices/I{number[1:]}")
    assert invoice.json()["order"] == number
    assert guest.get(f"{BASE}/invoices/I{number[1:]}", headers={"Accept": "text/html"}).status_code == 200


def test_a_guest_cancels_their_order_once(guest: Any, system: System, drain: Callable[..., int]) -> None:
    path, key = f"{BASE}/orders/{system.guests_order}/cancel", {"Idempotency-Key": "c"}
    first = guest.post(path, {"reason": "no need"}, headers=key)
    assert first.status_code == 202
    assert guest.post(path, {"reason": "no need"}, headers=key).headers["Idempotent-Replayed"] == "true"
    drain()
    shown = guest.get(f"{BASE}/orders/{system.guests_order}").json()
    assert (shown["status"], shown["cancellation_reason"]) == ("cancelled", "by_buyer")
    events = guest.get(f"{BASE}/orders/{system.guests_order}/timeline").json()
    assert "a guest" in {event["by"] for event in events}


def test_the_token_opens_no_other_order(guest: Any, system: System, all_rows: Callable[[], object]) -> None:
    before = all_rows()
    for path in (f"orders/{system.order}", f"orders/{system.order}/timeline", f"invoices/I{system.order[1:]}"):
        assert kind_of(guest.get(f"{BASE}/{path}")) == "not_found"
    for what in ("cancel", "withdraw"):
        assert kind_of(guest.post(f"{BASE}/orders/{system.order}/{what}", {})) == "not_found"
    assert kind_of(guest.get(f"{BASE}/returns/{system.requested_return}")) == "not_found"
    wanted = {"order": system.order, "lines": [{"sku": "MUG", "quantity": 1, "reason": "damaged"}]}
    assert kind_of(guest.post(f"{BASE}/returns", wanted)) == "not_found"
    assert guest.get(f"{BASE}/returns").json()["results"] == []
    assert all_rows() == before


@pytest.mark.parametrize("route", sorted({str(route) for route in routes()} - FOR_GUESTS))
def test_the_token_opens_nothing_else(
    route: str, guest: Any, system: System, buyer: Any, all_rows: Callable[[], object]
) -> None:
    from api_calls import COMES_AFTER, examples

    if route in COMES_AFTER:
        pytest.skip("its example needs another call first")
    call, before = examples(system)[route], all_rows()
    response = guest.call(call)
    if call.who == "anonymous" and response.status_code < 300:
        assert route in {"POST auth/tokens", "POST customers", "POST orders/lookup", "GET payment-config"} | {
            "POST webhooks/payments/<slug:provider_name>"
        }
        return
    assert response.status_code == 401, response.content
    assert all_rows() == before


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token + "0",
        lambda token: token[:-1],
        lambda token: token.replace("guest.R", "guest.S"),
        lambda token: token.rpartition(".")[0],
        lambda token: "guest.",
        lambda token: "guest..",
        lambda token: f"guest.{'R-1' * 100}.x",
        lambda token: "guest.R-1\u00e4.x",
        lambda token: token.replace(".", ".\u0660", 1),
    ],
)
def test_a_changed_token_opens_nothing(
    anonymous: Any, token: str, system: System, change: Callable[[str], str]
) -> None:
    wrong = change(token)
    assert guest_with(wrong) is None
    response = anonymous.get(
        f"{BASE}/orders/{system.guests_order}", HTTP_AUTHORIZATION=f"Bearer {wrong}".encode().decode("latin-1")
    )
    assert kind_of(response) in ("not_authenticated", "authentication_failed")
    assert response.status_code == 401


def test_the_token_of_one_order_is_none_of_another(system: System, token: str) -> None:
    number, other = system.guests_order, system.order
    assert guest_with(token.replace(number, other)) is None
    assert guest_with(token_of(other)) is None, "the order of a user has no access token"
    found = guest_with(token)
    assert found is not None
    assert (found.order, found.actor) == (number, f"guest:{number}")


def test_without_orders_no_token_opens_anything(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guests_module, "_finders", [])
    assert guest_with(token) is None


# --- Claim ---


def claim(client: Any, number: str, token: str, **headers: str) -> Any:
    return client.post(f"{BASE}/orders/{number}/claim", {"access_token": token}, headers=headers)


def test_a_buyer_claims_a_guests_order_once(
    guest: Any, token: str, system: System, stranger: Any, buyer: Any, drain: Callable[..., int]
) -> None:
    number, was = system.guests_order, Order.objects.get(pk=system.guests_order).buyer_id
    claimed = claim(stranger, number, token, **{"Idempotency-Key": "k"})
    assert (claimed.status_code, claimed.json()["number"]) == (200, number)
    assert claim(stranger, number, token, **{"Idempotency-Key": "k"}).headers["Idempotent-Replayed"] == "true"
    assert kind_of(claim(stranger, number, token)) == "already_claimed"
    assert kind_of(claim(buyer, number, token)) == "not_found"
    drain()
    catch_up_all()

    assert guest.get(f"{BASE}/orders/{number}").status_code == 401
    assert guest.get(f"{BASE}/invoices/I{number[1:]}").status_code == 401
    assert stranger.get(f"{BASE}/orders/{number}").status_code == 200
    assert [order["number"] for order in stranger.get(f"{BASE}/orders").json()["results"]] == [number]
    assert [each["order"] for each in stranger.get(f"{BASE}/invoices").json()["results"]] == [number]
    order = Order.objects.get(pk=number)
    assert order.buyer_id == Invoice.objects.get(order=number).payer == f"U-{stranger.user.pk}"
    spent = {buyer.pk: buyer.spend for buyer in Buyer.objects.all()}
    assert (spent[order.buyer_id], spent[was].minor) == (order.total, 0)
    shown = {row.buyer: (row.orders, row.spend) for row in LifetimeSpend.objects.all()}
    assert shown[order.buyer_id] == (1, order.total)
    assert was not in shown
    erased = Buyer.objects.get(pk=was)
    assert (erased.email, erased.name) == ("", "")
    assert EMAIL not in str([*PersonalData.objects.values_list()])
    valid()


def test_a_claimed_order_counts_for_the_discount_of_loyal_buyers(
    token: str, system: System, stranger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifetime_spend_discount, "THRESHOLD", 5)
    assert claim(stranger, system.guests_order, token).status_code == 200
    assert Buyer.objects.get(pk=f"U-{stranger.user.pk}").discount_percent == lifetime_spend_discount.RATE


def test_an_order_is_claimed_before_it_is_confirmed(
    shop: object, anonymous: Any, stranger: Any, drain: Callable[..., int]
) -> None:
    from test_carts_api import Shopper

    ordered = Shopper(anonymous).fill(MUG=2).check_out().json()
    assert claim(stranger, ordered["number"], ordered["access_token"]).status_code == 200
    drain()
    assert Order.objects.get().status == "confirmed"
    assert Buyer.objects.get(pk=f"U-{stranger.user.pk}").spend == Order.objects.get().total
    catch_up_all()
    valid()


@pytest.mark.parametrize("wrong", ["", "x", "guest.R-1.x"])
def test_a_claim_with_another_token_is_refused(
    wrong: str, system: System, stranger: Any, all_rows: Callable[[], object]
) -> None:
    before = all_rows()
    response = claim(stranger, system.guests_order, wrong)
    assert problem_of(response)["status"] == (404 if wrong else 422)
    assert kind_of(claim(stranger, system.order, token_of(system.guests_order))) == "not_found"
    assert kind_of(claim(stranger, "R-999999", token_of(system.guests_order))) == "not_found"
    body = {"access_token": token_of(system.guests_order), "to": "me"}
    odd = stranger.post(f"{BASE}/orders/{system.guests_order}/claim", body)
    assert errors_of(odd) == {("#/to", "unknown_field")}
    assert all_rows() == before


# --- Lookup ---


def lookup(client: Any, number: str, email: str) -> Any:
    return client.post(f"{BASE}/orders/lookup", {"number": number, "email": email})


def test_a_letter_brings_the_link_to_the_guest(
    guest: Any, anonymous: Any, token: str, system: System, drain: Callable[..., int]
) -> None:
    del mail.outbox[:]
    response = lookup(anonymous, system.guests_order, EMAIL.upper())
    assert (response.status_code, response.content) == (202, b"")
    drain()
    (letter,) = mail.outbox
    assert letter.to == [EMAIL]
    assert f"https://shop.example/orders/{system.guests_order}#access_token={token}" in letter.body
    assert token not in str([*Message.objects.values_list()])
    assert EMAIL not in str([*Message.objects.values_list()])


@pytest.mark.parametrize("of", ["guest's, another address", "buyer's", "nobody's"])
def test_nobody_else_gets_a_letter_and_the_work_is_the_same(
    of: str, anonymous: Any, buyer: Any, system: System, drain: Callable[..., int], statements: Callable[..., Any]
) -> None:
    del mail.outbox[:]
    with statements() as right:
        lookup(anonymous, system.guests_order, EMAIL)
    drain()
    del mail.outbox[:]
    number, email = {
        "guest's, another address": (system.guests_order, "eve@example.com"),
        "buyer's": (system.order, buyer.user.email),
        "nobody's": ("R-999999", EMAIL),
    }[of]
    with statements() as wrong:
        assert lookup(anonymous, number, email).status_code == 202
    assert wrong == right
    drain()
    assert mail.outbox == []


def test_an_order_causes_only_so_many_letters_an_hour(
    anonymous: Any, system: System, drain: Callable[..., int]
) -> None:
    drain()
    del mail.outbox[:]
    assert {lookup(anonymous, system.guests_order, EMAIL).status_code for _ in range(8)} == {202}
    drain()
    assert len(mail.outbox) == 5


def test_a_caller_asks_only_so_often(anonymous: Any, db: None, settings: Any) -> None:
    settings.THROTTLES = {**settings.THROTTLES, "lookup": 2}
    assert [lookup(anonymous, f"R-{n}", EMAIL).status_code for n in range(3)] == [202, 202, 429]


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"number": "R-1"}, {("#/email", "required")}),
        ({"number": "1", "email": EMAIL}, {("#/number", "invalid")}),
        ({"number": "R-1", "email": "x"}, {("#/email", "invalid")}),
        ({"number": "R-1", "email": EMAIL, "name": "x"}, {("#/name", "unknown_field")}),
    ],
)
def test_a_lookup_of_bad_input_is_a_422(
    body: dict[str, Any], errors: object, anonymous: Any, db: None, all_rows: Callable[[], object]
) -> None:
    before = all_rows()
    assert errors_of(anonymous.post(f"{BASE}/orders/lookup", body)) == errors
    assert all_rows() == before


# --- Erasing ---


def test_an_erased_guest_has_no_token(guest: Any, system: System, drain: Callable[..., int]) -> None:
    order = Order.objects.get(pk=system.guests_order)
    guest.post(f"{BASE}/orders/{order.number}/cancel", {}, headers={"Idempotency-Key": "c"})
    drain()
    erase_buyer(order.buyer_id)
    drain()
    assert guest.get(f"{BASE}/orders/{order.number}").status_code == 401
    lookup(guest, order.number, EMAIL)
    del mail.outbox[:]
    drain()
    assert mail.outbox == []
