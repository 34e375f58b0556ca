"""A client that asks for what was updated since the last change it has seen misses nothing, late commits included."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from api_calls import BASE, errors_of
from django.db import connection, connections, transaction

from billing.commands import issue_invoice, void_invoice
from billing.events import InvoicedLine
from billing.models import InvoiceChange, invoice_of
from fulfillment.commands import arrange_shipment, dispatch_shipment
from fulfillment.events import LineToPack
from fulfillment.models import ShipmentChange
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentMethodId, ShipmentId, Sku
from integration.domain.money import Money
from integration.read_models.models import PolledRow
from integration.read_models.rebuild import differences, rebuild
from integration.read_models.registry import read_models
from ordering.commands import cancel_order, place_order
from ordering.models import CancellationReason, OrderBoard


class Kind(NamedTuple):
    """A list that can be asked for what was updated."""

    path: str
    key: str
    rows: type[PolledRow]
    create: Callable[[], str]
    change: Callable[[str], object]

    def polled(self, client: Any, since: str | None, page_size: int = 50) -> Iterator[tuple[str, str]]:
        """The identifier and `updated_at` of all that a client gets, page by page."""
        url = f"{BASE}{self.path}?updated_after={quote(since or '1970-01-01T00:00:00Z')}&page_size={page_size}"
        while url:
            response = client.get(url)
            assert response.status_code == 200, response.content
            for row in response.json()["results"]:
                yield row[self.key], row["updated_at"]
            url = response.json()["next"]


@pytest.fixture(params=["orders", "shipments", "invoices"])
def kind(request: pytest.FixtureRequest, shop: object, address: Address) -> Kind:
    numbers = iter(range(900_000, 1_000_000))

    def order() -> str:
        return place_order(BuyerId("B-1"), [(Sku("MUG"), 1)], address, PaymentMethodId("pm_card_visa")).number

    def shipment() -> str:
        number = next(numbers)
        arrange_shipment(OrderNumber(f"R-{number}"), address, [LineToPack(sku=Sku("MUG"), name="Mug", quantity=1)])
        return f"S-{number}-1"

    def invoice() -> str:
        order, price = OrderNumber(f"R-{next(numbers)}"), Money("12.50", "USD")
        issue_invoice(
            order,
            payer=BuyerId("B-1"),
            payment_method=PaymentMethodId("pm_card_visa"),
            lines=[InvoicedLine(Sku("MUG"), "Mug", 1, price, price)],
            discount=Money.zero("USD"),
            shipping=Money.zero("USD"),
            total=price,
        )
        return invoice_of(order)

    def void(key: str) -> None:
        void_invoice(OrderNumber(f"R{key[1:]}"), "by_operator")

    if request.param == "invoices":
        return Kind("invoices", "number", InvoiceChange, invoice, void)
    if request.param == "orders":
        reason = CancellationReason.BY_OPERATOR
        return Kind("orders", "number", OrderBoard, order, lambda key: cancel_order(OrderNumber(key), reason, ""))
    return Kind(
        "shipments", "id", ShipmentChange, shipment, lambda key: dispatch_shipment(ShipmentId(key), "Royal Mail", "RM1")
    )


def test_only_what_changed_since_is_listed_the_earliest_change_first(kind: Kind, operator: Any) -> None:
    one, two, three = (kind.create() for _ in range(3))
    seen = dict(kind.polled(operator, None))
    assert list(seen) == [one, two, three]
    assert [key for key, _ in kind.polled(operator, seen[two])] == [two, three]

    kind.change(one)
    four = kind.create()

    assert [key for key, _ in kind.polled(operator, seen[three])] == [three, one, four]
    assert [key for key, _ in kind.polled(operator, "2100-01-01T00:00:00Z")] == []
    assert {key for key, _ in kind.polled(operator, "1970-01-01T00:00:00+01:00")} == {one, two, three, four}


@pytest.mark.parametrize("by", [timedelta(microseconds=1), timedelta(seconds=5), timedelta(minutes=50)])
def test_a_change_that_is_committed_late_is_not_missed(kind: Kind, operator: Any, by: timedelta) -> None:
    """To this one process, a change that was recorded earlier and committed later is one by a clock that is behind."""
    kind.create()
    with clock.moved(timedelta(hours=1)):
        first = kind.create()
        *_, (last, since) = kind.polled(operator, None)
        assert last == first
        with clock.moved(-by):
            late = [kind.create(), kind.create()]
        assert [key for key, _ in kind.polled(operator, since)] == [first, *late]
        *_, (_, since) = kind.polled(operator, since)
        later = kind.create()
        assert {key for key, _ in kind.polled(operator, since)} > {later}


@pytest.mark.parametrize("seed", range(4))
def test_a_client_that_polls_in_pages_gets_every_change(kind: Kind, operator: Any, seed: int) -> None:
    """Changes come in any order of their times, also while the client is between two pages."""
    chance, wanted = random.Random(seed), set[str]()

    def happen(at_most: int) -> None:
        for _ in range(chance.randint(0, at_most)):
            with clock.moved(timedelta(microseconds=chance.choice([0, 1, -1, 50, -50, -10_000_000]))):
                wanted.add(kind.create())

    got, since = set[str](), None
    for _ in range(6):
        happen(3)
        page_size, times = chance.randint(1, 3), 5
        for key, updated_at in kind.polled(operator, since, page_size):
            got.add(key)
            since = updated_at
            happen(1 if times > 0 else 0)
            times -= 1
    got |= {key for key, _ in kind.polled(operator, since)}
    assert wanted - got == set()


def test_a_rebuild_loses_no_late_change_and_equals_the_build_before(kind: Kind, operator: Any) -> None:
    kind.create()
    model = read_models.get(kind.rows.read_model)
    with clock.moved(timedelta(minutes=1)):
        kind.create()
        *_, (_, since) = kind.polled(operator, None)
    late = kind.create()

    with clock.moved(timedelta(minutes=2)):
        assert differences(model) == []
        rebuild(model)

    assert late in {key for key, _ in kind.polled(operator, since)}


def test_a_rebuild_lists_the_changes_of_the_last_hour_once_more(kind: Kind, operator: Any) -> None:
    """A client may have read the build before it showed them."""
    with clock.moved(timedelta(hours=-2)):
        kind.create()
    recent = kind.create()
    with clock.moved(timedelta(minutes=2)):
        since = clock.now().isoformat()
        assert list(kind.polled(operator, since)) == []
        rebuild(read_models.get(kind.rows.read_model))
        assert [key for key, _ in kind.polled(operator, since)] == [recent]


def test_rows_of_older_code_are_listed_rather_than_missed(kind: Kind, operator: Any) -> None:
    one, two = kind.create(), kind.create()
    assert dict(kind.polled(operator, None))
    default = kind.rows._meta.get_field("shown_at").db_default
    kind.rows.of_all_builds.update(shown_at=default)

    assert {key for key, _ in kind.polled(operator, clock.now().isoformat())} == {one, two}


@pytest.mark.parametrize("moment", ["yesterday", "1", "%00", "2026-02-30", "0001-01-01T00:00:00%2B23:59"])
def test_a_moment_that_is_none_is_refused(kind: Kind, operator: Any, moment: str) -> None:
    response = operator.get(f"{BASE}{kind.path}?updated_after={moment}")
    assert errors_of(response) == {("#/updated_after", "invalid")}


def test_another_ordering_and_other_filters_may_be_given(kind: Kind, operator: Any) -> None:
    one, two = kind.create(), kind.create()
    seen = dict(kind.polled(operator, None))
    url = f"{BASE}{kind.path}?updated_after={quote(seen[one])}&ordering="

    def listed(more: str) -> list[str]:
        return [row[kind.key] for row in operator.get(url + more).json()["results"]]

    assert listed("-created_at") == [two, one]
    assert listed("created_at&status=" + ("void" if kind.path == "invoices" else "cancelled")) == []


@pytest.mark.parametrize(("path", "letter"), [("orders", "R"), ("invoices", "I")])
def test_a_buyer_sees_only_their_own_changes(
    buyer: Any, stranger: Any, shop: object, order_body: Any, drain: Callable[..., int], path: str, letter: str
) -> None:
    number = buyer.post(f"{BASE}orders", order_body).json()["number"]
    drain()
    query = f"{BASE}{path}?updated_after=2020-01-01T00:00:00Z"

    assert [row["number"] for row in buyer.get(query).json()["results"]] == [f"{letter}{number[1:]}"]
    assert stranger.get(query).json()["results"] == []


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one transaction write at a time")
def test_a_transaction_that_commits_after_a_later_one_is_not_missed(
    for_threads: None, kind: Kind, operator: Any
) -> None:
    """The first transaction writes its change, then waits while another is committed, listed and seen."""
    kind.create()
    written, seen = Barrier(2), Barrier(2)

    def write_early_and_commit_late() -> str:
        with transaction.atomic():
            key = kind.create()
            written.wait(20)
            seen.wait(20)
        connections.close_all()
        return key

    with ThreadPoolExecutor(1) as other:
        running = other.submit(write_early_and_commit_late)
        written.wait(20)
        second = kind.create()
        *_, (last, since) = kind.polled(operator, None)
        assert last == second
        seen.wait(20)
        first = running.result(20)

    (_, updated_at), *_ = [row for row in kind.polled(operator, since) if row[0] == first]
    assert updated_at < since
