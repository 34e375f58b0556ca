"""Invoices, refunds and payments over REST: buyers see their invoices, staff of billing see all and refund."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from api_calls import System, errors_of, kind_of

from billing.commands import number_documents
from billing.models import Invoice, Refund
from config.books import Seller

BASE = "/api/v1"


def number_of(system: System) -> str:
    return f"I{system.order[1:]}"


def invoice_of(system: System) -> Invoice:
    return Invoice.objects.get(pk=number_of(system))


def test_an_invoice_has_these_fields(buyer: Any, operator: Any, system: System) -> None:
    response = buyer.get(f"{BASE}/invoices/{number_of(system)}")
    invoice = response.json()

    assert response.status_code == 200
    assert response.headers["ETag"] == f'"{invoice_of(system).version}"'
    payment = {"id": f"P{system.order[1:]}-1", "invoice": number_of(system), "order": system.order}
    assert [{key: shown[key] for key in payment} for shown in invoice["payments"]] == [payment]
    assert (invoice["status"], invoice["refunds"], invoice["order"]) == ("paid", [], system.order)
    total = invoice_of(system).total
    assert invoice["total"] == invoice["paid"] == {"amount": str(total.amount), "currency": total.currency}
    assert sum(Decimal(line["total"]["amount"]) for line in invoice["lines"]) == total.amount
    assert set(invoice["lines"][0]) == {
        *("sku", "name", "quantity", "unit_price", "subtotal", "tax", "tax_rate", "total", "units_refunded"),
        "credited",
    }
    assert "pm_card" not in str(invoice)
    assert operator.get(f"{BASE}/invoices/{number_of(system)}").json() == invoice


def test_invoices_are_listed_and_filtered(buyer: Any, stranger: Any, operator: Any, system: System) -> None:
    shown = buyer.get(f"{BASE}/invoices/{number_of(system)}").json()

    own = {system.order, system.declined_order}
    assert {invoice["order"] for invoice in buyer.get(f"{BASE}/invoices").json()["results"]} == own
    for query, found in {f"?order={system.order}": [shown], "?status=paid": [shown], "?status=void": []}.items():
        assert buyer.get(f"{BASE}/invoices{query}").json()["results"] == found
        if query != "?status=paid":
            assert operator.get(f"{BASE}/invoices{query}").json()["results"] == found
    assert [invoice["number"] for invoice in operator.get(f"{BASE}/invoices").json()["results"]] == sorted(
        Invoice.objects.values_list("number", flat=True), reverse=True
    )
    assert stranger.get(f"{BASE}/invoices").json()["results"] == []
    assert errors_of(buyer.get(f"{BASE}/invoices?status=odd")) == {("#/status", "invalid_choice")}
    assert errors_of(buyer.get(f"{BASE}/invoices?payer=U-1")) == {("#/payer", "unknown_parameter")}


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html", "text/html"),
        ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "text/html"),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("image/png", "application/json"),
    ],
)
def test_an_invoice_is_a_page_for_those_who_prefer_html(buyer: Any, system: System, accept: str, kind: str) -> None:
    response = buyer.get(f"{BASE}/invoices/{number_of(system)}", headers={"Accept": accept})

    assert response.headers["Content-Type"].partition(";")[0] == kind
    assert "Accept" in response.headers["Vary"]
    if kind == "text/html":
        page = response.content.decode()
        assert f"Invoice {number_of(system)}" in page
        assert str(invoice_of(system).total) in page


def test_an_invoice_shows_the_seller_its_numbers_and_its_credit_notes(
    buyer: Any, operator: Any, system: System, settings: Any
) -> None:
    settings.SELLER = Seller("Mugs & Co", ["1 Kiln Road", "Stoke"], "GB123")
    path = f"{BASE}/invoices/{number_of(system)}"
    before = buyer.get(path).json()
    body = {"lines": [{"sku": before["lines"][0]["sku"], "quantity": 1}], "reason": "broken"}
    assert operator.post(f"{path}/refunds", body).status_code == 202
    number_documents()

    shown = buyer.get(path).json()

    assert before["document_number"] is None
    assert shown["document_number"].startswith("SI-0")
    assert shown["seller"] == {"name": "Mugs & Co", "address": ["1 Kiln Road", "Stoke"], "vat_id": "GB123"}
    assert len(shown["payer"]) == 4
    assert shown["payer"][0] in buyer.get(path, headers={"Accept": "text/html"}).content.decode()
    assert (shown["prices_include_tax"], shown["taxes"], shown["issued_at"] is None) == (False, [], False)
    (note,) = shown["credit_notes"]
    assert (note["number"][:4], note["reason"], note["amount"]) == ("CN-0", "broken", shown["credited"])
    assert [(line["sku"], line["quantity"]) for line in note["lines"]] == [(body["lines"][0]["sku"], 1)]  # type: ignore[index]
    page = buyer.get(path, headers={"Accept": "text/html"}).content.decode()
    for text in ("Mugs &amp; Co", "VAT GB123", shown["document_number"], note["number"], "Stoke"):
        assert text in page
    assert "http" not in page


def test_the_page_of_an_invoice_escapes_what_others_wrote(buyer: Any, operator: Any, system: System) -> None:
    body = {"lines": [{"sku": "MUG", "quantity": 1}], "reason": "<b>broken</b>"}
    assert operator.post(f"{BASE}/invoices/{number_of(system)}/refunds", body).status_code == 202

    page = buyer.get(f"{BASE}/invoices/{number_of(system)}", headers={"Accept": "text/html"}).content.decode()

    assert "&lt;b&gt;broken&lt;/b&gt;" in page
    assert "<b>broken" not in page


def test_units_are_refunded_by_their_total(
    operator: Any, buyer: Any, system: System, drain: Callable[..., int]
) -> None:
    line = buyer.get(f"{BASE}/invoices/{number_of(system)}").json()["lines"][0]
    body = {"lines": [{"sku": line["sku"], "quantity": line["quantity"]}], "reason": "broken"}

    response = operator.post(f"{BASE}/invoices/{number_of(system)}/refunds", body)
    drain()

    assert response.status_code == 202
    assert response.headers["Location"].endswith(f"/refunds/F{system.order[1:]}-1")
    refund = operator.get(response.headers["Location"]).json()
    assert (refund["status"], refund["amount"], refund["reason"]) == ("issued", line["total"], "broken")
    invoice = buyer.get(f"{BASE}/invoices/{number_of(system)}").json()
    assert invoice["refunded"] == line["total"]
    assert (invoice["lines"][0]["units_refunded"], invoice["lines"][0]["credited"]) == (line["quantity"], line["total"])
    assert [shown["id"] for shown in invoice["refunds"]] == [refund["id"]]
    order = buyer.get(f"{BASE}/orders/{system.order}").json()
    assert order["payment"]["refunded"] == line["total"]


def test_a_refund_that_is_asked_for_twice_under_one_key_is_given_once(
    operator: Any, system: System, drain: Callable[..., int]
) -> None:
    body = {"lines": [{"sku": "MUG", "quantity": 1}], "reason": "broken"}
    path, key = f"{BASE}/invoices/{number_of(system)}/refunds", {"Idempotency-Key": "refund-1"}

    first = operator.post(path, body, headers=key)
    again = operator.post(path, body, headers=key)
    drain()

    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    refund = operator.get(first.headers["Location"]).json()
    assert {key: refund[key] for key in first.json()} == first.json()
    assert Refund.objects.count() == 1


def test_the_same_sku_twice_is_added_up(operator: Any, system: System) -> None:
    body = {"lines": [{"sku": "MUG", "quantity": 1}] * 2, "reason": "broken"}

    assert operator.post(f"{BASE}/invoices/{number_of(system)}/refunds", body).status_code == 202
    assert invoice_of(system).line_rows.get(sku="MUG").units_refunded == 2


AMOUNT = {"amount": "1.00", "currency": "USD"}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"reason": "x"}, ("#", "amount_or_lines")),
        ({"amount": AMOUNT, "lines": [{"sku": "MUG", "quantity": 1}], "reason": "x"}, ("#", "amount_or_lines")),
        ({"amount": AMOUNT}, ("#/reason", "required")),
        ({"amount": AMOUNT, "reason": ""}, ("#/reason", "blank")),
        ({"amount": AMOUNT, "reason": "x" * 501}, ("#/reason", "max_length")),
        ({"amount": {"amount": "-1.00", "currency": "USD"}, "reason": "x"}, ("#/amount/amount", "invalid")),
        ({"amount": {"amount": 1, "currency": "USD"}, "reason": "x"}, ("#/amount/amount", "invalid")),
        ({"amount": {"amount": "0.001", "currency": "USD"}, "reason": "x"}, ("#/amount/amount", "not_money")),
        ({"amount": {"amount": "1.00", "currency": "EUR"}, "reason": "x"}, ("#", "currency_mismatch")),
        ({"lines": [], "reason": "x"}, ("#/lines", "empty")),
        ({"lines": [{"sku": "MUG", "quantity": 0}], "reason": "x"}, ("#/lines/0/quantity", "min_value")),
        ({"lines": [{"sku": "MUG", "quantity": "1"}], "reason": "x"}, ("#/lines/0/quantity", "invalid")),
        ({"lines": [{"sku": "NONE", "quantity": 1}], "reason": "x"}, ("#/lines", "not_invoiced")),
        (
            {"lines": [{"sku": "MUG", "quantity": 1, "amount": "9"}], "reason": "x"},
            ("#/lines/0/amount", "unknown_field"),
        ),
        ({"amount": AMOUNT, "reason": "x", "payment": "P-1"}, ("#/payment", "unknown_field")),
    ],
)
def test_an_invalid_refund_is_refused(
    operator: Any, system: System, all_rows: Callable[[], object], body: dict[str, Any], error: tuple[str, str]
) -> None:
    before = all_rows()

    assert errors_of(operator.post(f"{BASE}/invoices/{number_of(system)}/refunds", body)) == {error}
    assert all_rows() == before


@pytest.mark.parametrize(
    "body",
    [
        {"lines": [{"sku": "MUG", "quantity": 100}], "reason": "x"},
        {"amount": {"amount": "10000.00", "currency": "USD"}, "reason": "x"},
        {"amount": {"amount": "0.00", "currency": "USD"}, "reason": "x"},
    ],
)
def test_more_than_is_left_is_refused(
    operator: Any, system: System, all_rows: Callable[[], object], body: dict[str, Any]
) -> None:
    before = all_rows()

    response = operator.post(f"{BASE}/invoices/{number_of(system)}/refunds", body)

    assert (response.status_code, kind_of(response)) == (409, "more_than_is_left")
    assert all_rows() == before


def test_a_refund_of_an_unpaid_invoice_is_refused(
    operator: Any, buyer: Any, shop: object, order_body: dict[str, Any], drain: Callable[..., int]
) -> None:
    order = buyer.post(f"{BASE}/orders", {**order_body, "payment_method": "pm_card_chargeDeclined"}).json()["number"]
    drain()

    response = operator.post(f"{BASE}/invoices/I{order[1:]}/refunds", {"amount": AMOUNT, "reason": "x"})

    assert (response.status_code, kind_of(response)) == (409, "not_allowed")
    assert Refund.objects.count() == 0


def test_a_refund_with_a_stale_etag_is_refused(operator: Any, system: System) -> None:
    seen = operator.get(f"{BASE}/invoices/{number_of(system)}").headers["ETag"]
    body, path = {"amount": AMOUNT, "reason": "x"}, f"{BASE}/invoices/{number_of(system)}/refunds"

    first = operator.post(path, body, headers={"If-Match": seen})
    second = operator.post(path, body, headers={"If-Match": seen})

    assert (first.status_code, second.status_code) == (202, 412)


def test_what_does_not_exist_is_not_found(operator: Any, system: System) -> None:
    responses = [
        operator.get(f"{BASE}/invoices/I-0"),
        operator.post(f"{BASE}/invoices/I-0/refunds", {"amount": AMOUNT, "reason": "x"}),
        operator.get(f"{BASE}/refunds/F-0-1"),
        operator.get(f"{BASE}/payments/P-0-1"),
    ]

    assert [(response.status_code, kind_of(response)) for response in responses] == [(404, "not_found")] * 4


def test_the_number_of_statements_does_not_depend_on_the_number_of_invoices(
    buyer: Any, system: System, order_body: dict[str, Any], drain: Callable[..., int], statements: Callable[..., Any]
) -> None:
    for _ in range(2):
        buyer.post(f"{BASE}/orders", order_body)
    drain()
    counts = []
    for size in 1, 3:
        with statements() as seen:
            assert len(buyer.get(f"{BASE}/invoices?page_size={size}").json()["results"]) == size
        counts.append(len(seen))

    assert counts[0] == counts[1]
