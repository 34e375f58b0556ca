"""The API documentation page and the admin pages, in Chromium."""

import re
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, ViewportSize, expect, sync_playwright
from running_system import Client, System

from tests.browser import launch
from tests.once import one_database

pytestmark = [pytest.mark.system, pytest.mark.browser, one_database]

HTTP_VERBS = {"get", "put", "post", "patch", "delete"}
MUG = "MUG-ENAMEL-BLUE"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def window(browser: Browser, system: System) -> Iterator[BrowserContext]:
    """A new browser context; at the end it must have sent requests to the system only, and obeyed the pages' policy."""
    window = browser.new_context(base_url=f"http://127.0.0.1:{system.port}")
    window.set_default_timeout(30_000)
    expect.set_options(timeout=30_000)  # for a busy machine, too
    requested: list[str] = []
    window.on("request", lambda request: requested.append(request.url))
    said: list[str] = []
    window.on("console", lambda message: said.append(message.text))
    yield window
    window.close()
    assert [text for text in said if "Content Security Policy" in text] == []
    assert requested
    assert {urlsplit(url).netloc for url in requested if not url.startswith("data:")} == {f"127.0.0.1:{system.port}"}


@pytest.fixture
def buyer(system: System) -> Client:
    return system.visitor.log_in("buyer", "buyer")


@pytest.fixture
def admin_page(window: BrowserContext) -> Page:
    """An admin page, on which an operator is logged in."""
    page = window.new_page()
    page.goto("/admin/")
    page.get_by_label("Username").fill("operator")
    page.get_by_label("Password").fill("operator")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("link", name="Log out").or_(page.get_by_role("button", name="Log out"))).to_be_visible()
    return page


def find(admin_page: Page, kind: str, words: str) -> None:
    """Search an admin list; exactly one row must be found."""
    admin_page.goto(f"/admin/{kind}/")
    admin_page.locator("#searchbar").fill(words)
    admin_page.locator("#searchbar").press("Enter")
    expect(admin_page.locator("#result_list tbody tr")).to_have_count(1)


def act(admin_page: Page, action: str) -> None:
    """Run an admin action on the one row that was found."""
    admin_page.locator("#result_list tbody input[name=_selected_action]").check()
    admin_page.get_by_label("Action:").select_option(label=action)
    admin_page.get_by_role("button", name="Run").or_(admin_page.get_by_role("button", name="Go", exact=True)).click()


def test_the_api_documentation_loads_nothing_from_other_hosts(window: BrowserContext, system: System) -> None:
    schema = system.visitor.ask("GET", "/api/schema?format=json").body
    operations = [verb for path in schema["paths"].values() for verb in path if verb in HTTP_VERBS]
    assert len(operations) > 15

    page = window.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto("/api/docs")
    expect(page.locator(".opblock")).to_have_count(len(operations))
    page.locator(".opblock", has_text="/api/v1/products").first.click()
    expect(page.locator(".opblock-body").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert errors == []


def test_an_operator_finds_an_order_and_sees_its_lines(admin_page: Page, buyer: Client) -> None:
    number = buyer.place({MUG: 2, "PAN-IRON-26": 1})
    buyer.order_once(number, "confirmed")

    find(admin_page, "ordering/order", number)
    admin_page.get_by_role("link", name=number, exact=True).click()
    expect(admin_page.locator(".headline")).to_contain_text("Confirmed")
    expect(admin_page.locator(".headline .total")).to_contain_text("92.50")
    lines = admin_page.get_by_role("group", name="Goods").get_by_role("row")
    expect(lines.filter(has_text=MUG)).to_contain_text("28.00 USD")
    expect(lines.filter(has_text="Cast Iron Pan")).to_contain_text("64.50 USD")


def test_an_operator_finds_a_story_by_the_correlation_id_of_a_response(admin_page: Page, buyer: Client) -> None:
    number = buyer.place({MUG: 1})
    buyer.order_once(number, "confirmed")
    story = buyer.get(f"/orders/{number}").headers["X-Correlation-Id"]

    find(admin_page, "ordering/order", story)
    expect(admin_page.locator("#result_list")).to_contain_text(number)
    admin_page.get_by_role("link", name=number, exact=True).click()
    admin_page.get_by_role("link", name="Whole story").click()
    for sentence in ("was placed for", "were reserved", "The payment of", "was paid with", "was arranged"):
        expect(admin_page.locator("#content")).to_contain_text(sentence)


def wait_for_shipment(buyer: Client, number: str) -> None:
    """Wait for the last event of a confirmed order: its shipment is arranged."""
    buyer.order_once(number, "confirmed")
    while not buyer.get(f"/orders/{number}").body["shipments"]:
        time.sleep(0.05)


def test_an_operator_moves_the_slider_through_the_versions_of_an_order(admin_page: Page, buyer: Client) -> None:
    number = buyer.place({MUG: 2})
    wait_for_shipment(buyer, number)

    admin_page.goto(f"/admin/ordering/order/{number}/change/")
    admin_page.get_by_role("link", name="Through time").click()
    life, slider = admin_page.locator("#life"), admin_page.get_by_label("Event")
    expect(life).to_contain_text("4 of 4: Shipment")
    slider.press("Home")
    expect(life).to_contain_text(f"1 of 4: Order {number} was placed")
    slider.press("ArrowRight")
    expect(life.locator("tr.changed")).to_have_text(["Status Pending Payment Pending"], use_inner_text=True)
    life.get_by_role("link", name="after").click()
    expect(life.locator("tr.changed")).to_have_count(2)
    expect(slider).to_have_value("3")
    expect(admin_page).to_have_url(re.compile(r"version=3$"))


def test_a_slider_that_moves_before_its_script_is_loaded_takes_effect(admin_page: Page, buyer: Client) -> None:
    number = buyer.place({MUG: 2})
    wait_for_shipment(buyer, number)
    held: list[Route] = []
    admin_page.route("**/time_slider*.js", lambda route: held.append(route))

    admin_page.goto(f"/admin/ordering/order/{number}/life/", wait_until="commit")
    admin_page.get_by_label("Event").press("Home")
    life = admin_page.locator("#life")
    expect(life).to_contain_text("4 of 4: Shipment")
    while not held:
        admin_page.wait_for_timeout(10)
    held[0].continue_()
    expect(life).to_contain_text(f"1 of 4: Order {number} was placed")


def test_an_operator_cancels_an_order(admin_page: Page, buyer: Client) -> None:
    number = buyer.place({MUG: 1})
    buyer.order_once(number, "confirmed")

    find(admin_page, "ordering/order", number)
    act(admin_page, "Cancel (as operator) …")
    admin_page.get_by_label("Note").fill("Cancelled by phone.")
    admin_page.get_by_role("button", name="Cancel").click()
    expect(admin_page.locator(".messagelist")).to_contain_text(
        f"Order {number}: fulfillment is asked to stop its shipment"
    )

    order = buyer.order_once(number, "cancelled")
    assert order["cancellation_reason"] == "by_operator"
    find(admin_page, "ordering/order", number)
    expect(admin_page.locator("#result_list .field-status")).to_have_text("Cancelled")


def test_an_operator_dispatches_and_delivers_a_shipment(admin_page: Page, buyer: Client) -> None:
    number = buyer.place({MUG: 1})
    buyer.order_once(number, "confirmed")

    find(admin_page, "fulfillment/shipment", number)
    act(admin_page, "Dispatch …")
    admin_page.get_by_label("Carrier").fill("Pigeon Post")
    admin_page.locator("input[name^='each:']").fill("PP-7")
    admin_page.get_by_role("button", name="Dispatch").click()
    expect(admin_page.locator(".messagelist")).to_contain_text("is dispatched with Pigeon Post")
    assert [sent["tracking_number"] for sent in buyer.order_once(number, "shipped")["shipments"]] == ["PP-7"]

    find(admin_page, "fulfillment/shipment", "PP-7")
    act(admin_page, "Deliver …")
    admin_page.get_by_role("button", name="Deliver").click()
    expect(admin_page.locator(".messagelist")).to_contain_text("is delivered")
    buyer.order_once(number, "delivered")


# --- Sizes ---

PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1400, "height": 900}
STORY_BEGINS = 3_000
"""Where the story of an order begins on a phone, in pixels: everything that an agent acts on is above."""

CUT_OFF = """() => [...document.querySelectorAll('table, form, fieldset, pre, svg, h2')].filter(element => {
  const right = element.getBoundingClientRect().right;
  for (let parent = element.parentElement; parent; parent = parent.parentElement) {
    const overflow = getComputedStyle(parent).overflowX;
    if (overflow === 'auto' || overflow === 'scroll') return false;
    if (overflow !== 'visible' && right > parent.getBoundingClientRect().right + 1) return true;
  }
  return right > innerWidth + 1;
}).map(element => element.tagName + '.' + element.className)"""
"""The elements that reach beyond the window, or are cut off, and cannot be scrolled to."""


def pages_of(order: str, story: str) -> list[str]:
    return [
        "/admin/",
        f"/admin/ordering/order/{order}/change/",
        f"/admin/ordering/order/{order}/life/",
        f"/admin/billing/invoice/{order.replace('R-', 'I-')}/change/",
        f"/admin/integration/message/story/{story}/",
        "/admin/integration/message/events/",
        *(f"/admin/ordering/{name}/" for name in ("order", "orderboard", "buyer", "product", "history")),
        *(f"/admin/integration/{name}/" for name in ("message", "delivery", "consumerstate", "readmodelbuild")),
        *(f"/admin/billing/{name}/" for name in ("invoice", "payment", "refund", "history", "discrepancy")),
        *(f"/admin/{name}/" for name in ("inventory/stockitem", "inventory/history", "fulfillment/shipment")),
    ]


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_no_page_is_wider_than_the_window(admin_page: Page, buyer: Client, size: ViewportSize) -> None:
    number = buyer.place({MUG: 2, "PAN-IRON-26": 1})
    buyer.order_once(number, "confirmed")
    story = buyer.get(f"/orders/{number}").headers["X-Correlation-Id"]
    admin_page.set_viewport_size(size)

    for url in pages_of(number, story):
        response = admin_page.goto(url)
        assert response is not None, url
        assert response.status == 200, url
        assert admin_page.evaluate("document.documentElement.scrollWidth") <= size["width"], url
        assert admin_page.evaluate(CUT_OFF) == [], url


def test_an_order_is_above_its_story_on_a_phone(admin_page: Page, buyer: Client) -> None:
    number = buyer.place({MUG: 2, "PAN-IRON-26": 1})
    buyer.order_once(number, "confirmed")
    admin_page.set_viewport_size(PHONE)

    admin_page.goto(f"/admin/ordering/order/{number}/change/")

    assert admin_page.evaluate("document.querySelector('#story').getBoundingClientRect().top") < STORY_BEGINS
