"""The operators' first page: each number is that of the list it links to, and everybody sees only their own work."""

import re
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from fulfillment.commands import dispatch_shipment, lose_shipment, request_return, shipment_of
from fulfillment.models import Shipment
from fulfillment.models.return_policy import ReturnReason
from integration.admin.home.charts import HEIGHT, Bar, bar_chart
from integration.admin.home.page import age_of
from integration.admin.home.work import Counted, all_work, work, work_to_do
from integration.domain import clock
from integration.domain.identifiers import OrderNumber, Sku
from integration.messaging.consumer_states import pause
from integration.messaging.models import Delivery, Status
from integration.read_models.catch_up import catch_up_all
from inventory.commands import adjust_stock, quarantine_stock
from inventory.models import StockItem
from ordering.commands import hold_order
from ordering.models import HoldReason

MOST_STATEMENTS = 29

Place = Callable[..., OrderNumber]
Drain = Callable[..., int]
SHOWN = re.compile(
    r'<a href="(?P<url>[^"]+)"><span class="badge (?P<tone>\w+) number">(?P<number>[^<]+)</span>'
    r' <span class="title">(?P<title>[^<]+)</span></a>\s*(?:<span class="age">(?P<age>[^<]+)</span>)?'
)


def shown_to(client: Client) -> dict[str, dict[str, str]]:
    page = client.get("/admin/").content.decode()
    return {match["title"]: match.groupdict() for match in SHOWN.finditer(page)}


@pytest.fixture
def at_work(placed: Place, drain: Drain) -> Iterator[None]:
    """A shop in which something of most kinds waits."""
    sent, lost, held, _ = (placed({"MUG": 1}) for _ in range(4))
    drain()
    dispatch_shipment(shipment_of(sent), "DHL", "JD014600003")
    dispatch_shipment(shipment_of(lost), "DHL", "JD014600004")
    hold_order(held, HoldReason.FRAUD_RISK, "Ask the buyer.")
    drain()
    lose_shipment(shipment_of(lost))
    request_return(sent, [(Sku("MUG"), 1, ReturnReason.DAMAGED)])
    mug = StockItem.objects.get(pk="MUG")
    quarantine_stock(Sku("MUG"), 1, "box damaged")
    adjust_stock(Sku("MUG"), 3 - mug.available + 1, "counted")
    drain()
    pause("ordering.notify-buyer-of-delivery", "mail is down", "user:1")
    delivery = Delivery.objects.filter(status=Status.DONE).first()
    assert delivery is not None
    Delivery.objects.filter(pk=delivery.pk).update(status=Status.DEAD, done_at=None)
    catch_up_all()
    yield
    Delivery.objects.filter(pk=delivery.pk).update(status=Status.DONE, done_at=delivery.done_at)


@pytest.mark.django_db
def test_each_number_is_that_of_its_list(at_work: None, admin_client: Client) -> None:
    shown = shown_to(admin_client)

    waits = {title: each["number"] for title, each in shown.items() if each["number"] != "0"}
    assert waits == {
        "Orders that need a decision": "1",
        "Orders on hold": "1",
        "Parcels to send": "2",
        "Returns to approve": "1",
        "Low stock": "1",
        "Sold out": "1",
        "Goods in quarantine": "1",
        "Dead letters": "1",
        "Paused consumers": "1",
    }
    for title, each in shown.items():
        page = admin_client.get(each["url"].replace("&amp;", "&"))
        assert page.status_code == 200, title
        assert page.context["cl"].result_count == int(each["number"]), title


@pytest.mark.django_db
def test_what_waits_for_too_long_is_marked(at_work: None, admin_client: Client) -> None:
    assert shown_to(admin_client)["Parcels to send"]["tone"] == "info"

    with clock.moved(timedelta(days=4, hours=3)):
        parcels = shown_to(admin_client)["Parcels to send"]

    assert (parcels["tone"], parcels["age"]) == ("bad", "2 late, oldest 4 days")


@pytest.mark.django_db
def test_everybody_sees_only_the_work_that_they_may_open(at_work: None, client: Client) -> None:
    packer = get_user_model().objects.create_user("packer", is_staff=True)
    packer.user_permissions.add(Permission.objects.get(codename="view_shipment"))
    client.force_login(packer)

    page = client.get("/admin/")

    assert set(shown_to(client)) == {"Parcels to send", "Deliveries that failed"}
    assert "Last 24 hours" not in page.content.decode()
    assert "Stock that runs short" not in page.content.decode()


@pytest.mark.django_db
def test_who_may_see_nothing_reads_why(client: Client) -> None:
    client.force_login(get_user_model().objects.create_user("new", is_staff=True))

    assert "There is no work for you here." in client.get("/admin/").content.decode()


@pytest.mark.django_db
def test_visitors_log_in_first(client: Client) -> None:
    assert client.get("/admin/").headers["Location"] == "/admin/login/?next=/admin/"


@pytest.mark.django_db
def test_the_page_takes_few_statements_however_much_there_is(at_work: None, admin_client: Client) -> None:
    admin_client.get("/admin/")
    with CaptureQueriesContext(connection) as queries:
        admin_client.get("/admin/")

    assert len(queries) <= MOST_STATEMENTS, [query["sql"] for query in queries]
    assert not any(' FROM "ordering_orderline"' in query["sql"] for query in queries)
    counts = [query["sql"] for query in queries if "COUNT(" in query["sql"]]
    assert len(counts) >= len(all_work())
    assert all("LIMIT" in sql for sql in counts)


@pytest.mark.django_db
def test_no_more_is_counted_than_the_page_says(
    at_work: None, admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[Counted.__module__], "MOST", 1)

    assert shown_to(admin_client)["Parcels to send"]["number"] == "1+"


def test_two_kinds_of_work_cannot_have_one_title() -> None:
    with pytest.raises(ValueError, match="Parcels to send"):

        @work("Parcels to send", group="Warehouse", place=1, model=Shipment, query={})
        def other() -> object:
            return Shipment.objects.none()


@pytest.mark.django_db
def test_work_is_quiet_when_there_is_none(admin_client: Client) -> None:
    assert {each.tone for each in work_to_do() if not each.count} == {"quiet"}
    assert {each["number"] for each in shown_to(admin_client).values()} == {"0"}
    assert "Nothing waits for a person." in admin_client.get("/admin/").content.decode()


def test_numbers_are_readable() -> None:
    parcels = next(each for each in all_work() if each.title == "Parcels to send")
    assert [Counted(parcels, count, late, None).number for count, late in ((1_204, 0), (10_001, 3))] == [
        "1,204",
        "10,000+",
    ]
    assert [Counted(parcels, count, late, None).late_number for count, late in ((5, 0), (5, 3), (10_001, 3))] == [
        "",
        "3",
        "3+",
    ]


@pytest.mark.parametrize(
    ("passed", "age"),
    [
        (timedelta(days=4, hours=3), "4 days"),
        (timedelta(days=1), "1 day"),
        (timedelta(minutes=119), "1 h"),
        (timedelta(minutes=2), "2 min"),
        (timedelta(seconds=5), "< 1 min"),
        (timedelta(seconds=-5), "< 1 min"),
    ],
)
def test_ages_are_in_the_largest_unit(passed: timedelta, age: str) -> None:
    now = clock.now()
    assert age_of(now - passed, now) == age
    assert age_of(None, now) == ""


# --- Charts ---


def test_bars_are_as_high_as_their_values() -> None:
    chart = bar_chart("Orders", [Bar("Mon", 5, "5"), Bar("Tue", 10, "10"), Bar("Wed", 0, "0")], "15")

    bars = re.findall(r'<rect class="bar" x="([^"]+)" y="([^"]+)" width="([^"]+)" height="([^"]+)">', chart)
    assert [(float(y), float(height)) for _, y, _, height in bars] == [(50, 50), (0, HEIGHT)]
    assert [float(x) for x, *_ in bars] == [0.125, 1.125]
    assert 'aria-label="Orders, highest 10 (Tue)"' in chart
    assert "<strong>15</strong>" in chart


def test_a_chart_of_nothing_has_no_bars_and_escapes_its_texts() -> None:
    chart = bar_chart("<b>", [Bar("a", 0, "0"), Bar("b", 0, "0")])

    assert "<rect" not in chart
    assert "&lt;b&gt;" in chart
    assert "<b>" not in chart


def test_a_little_is_not_shown_as_nothing() -> None:
    chart = bar_chart("Orders", [Bar("a", 1, "1"), Bar("b", 100_000, "100,000")])

    assert len(re.findall("<rect", chart)) == 2
    assert 'height="1.5"' in chart
