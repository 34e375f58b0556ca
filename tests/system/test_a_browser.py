"""What people see: the page that explains the API, and the operators' pages, in a real browser."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright
from running_system import Client, System

from tests.browser import launch

pytestmark = [pytest.mark.system, pytest.mark.browser]

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
    """A browser nobody has used before, which at the end has asked nobody but our house for anything."""
    window = browser.new_context(base_url=f"http://127.0.0.1:{system.port}")
    window.set_default_timeout(30_000)
    asked: list[str] = []
    window.on("request", lambda request: asked.append(request.url))
    yield window
    window.close()
    assert asked
    assert {urlsplit(url).netloc for url in asked if not url.startswith("data:")} == {f"127.0.0.1:{system.port}"}


@pytest.fixture
def buyer(system: System) -> Client:
    return system.visitor.log_in("buyer", "buyer")


@pytest.fixture
def desk(window: BrowserContext) -> Page:
    """The operators' pages, once an operator has logged in."""
    page = window.new_page()
    page.goto("/admin/")
    page.get_by_label("Username").fill("operator")
    page.get_by_label("Password").fill("operator")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("link", name="Log out").or_(page.get_by_role("button", name="Log out"))).to_be_visible()
    return page


def find(desk: Page, kind: str, words: str) -> None:
    """Search a list of the operators' pages; exactly one thing is found."""
    desk.goto(f"/admin/{kind}/")
    desk.locator("#searchbar").fill(words)
    desk.locator("#searchbar").press("Enter")
    expect(desk.locator("#result_list tbody tr")).to_have_count(1)


def act(desk: Page, action: str) -> None:
    """Have an action done to the one thing that was found."""
    desk.locator("#result_list tbody input[name=_selected_action]").check()
    desk.get_by_label("Action:").select_option(label=action)
    desk.get_by_role("button", name="Run").or_(desk.get_by_role("button", name="Go", exact=True)).click()


def test_the_api_explains_itself_without_asking_anybody_else(window: BrowserContext, system: System) -> None:
    schema = system.visitor.ask("GET", "/api/schema?format=json").body
    operations = [verb for path in schema["paths"].values() for verb in path if verb in HTTP_VERBS]
    assert len(operations) > 15

    page = window.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto("/api/docs")
    expect(page.locator(".opblock")).to_have_count(len(operations))
    page.locator(".opblock", has_text="/api/v1/products").first.click()
    expect(page.locator(".opblock-body").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert complaints == []


def test_an_operator_finds_an_order_and_sees_what_it_is_about(desk: Page, buyer: Client) -> None:
    number = buyer.place({MUG: 2, "PAN-IRON-26": 1})
    buyer.order_once(number, "confirmed")

    find(desk, "ordering/order", number)
    desk.get_by_role("link", name=number, exact=True).click()
    expect(desk.locator(".fieldBox.field-status")).to_contain_text("Confirmed")
    expect(desk.locator(".fieldBox.field-total")).to_contain_text("92.50")
    lines = desk.get_by_role("group", name="Lines").get_by_role("row")
    expect(lines.filter(has_text=MUG)).to_contain_text("28.00 USD")
    expect(lines.filter(has_text="Cast Iron Pan")).to_contain_text("64.50 USD")


def test_an_operator_finds_the_whole_story_by_the_id_a_client_was_given(desk: Page, buyer: Client) -> None:
    number = buyer.place({MUG: 1})
    buyer.order_once(number, "confirmed")
    story = buyer.get(f"/orders/{number}").headers["X-Correlation-Id"]

    find(desk, "ordering/order", story)
    expect(desk.locator("#result_list")).to_contain_text(number)
    desk.get_by_role("link", name=number, exact=True).click()
    desk.get_by_role("link", name="Whole story").click()
    for sentence in ("Order placed", "Goods reserved", "Payment succeeded", "Order confirmed", "Shipment arranged"):
        expect(desk.locator("#content")).to_contain_text(sentence)


def test_an_operator_slides_through_an_orders_life(desk: Page, buyer: Client) -> None:
    number = buyer.place({MUG: 2})
    buyer.order_once(number, "confirmed")

    desk.goto(f"/admin/ordering/order/{number}/change/")
    desk.get_by_role("link", name="Through time").click()
    life, slider = desk.locator("#life"), desk.get_by_label("Event")
    expect(life).to_contain_text("3 of 3: Order confirmed")
    slider.press("Home")
    expect(life).to_contain_text("1 of 3: Order placed")
    slider.press("ArrowRight")
    expect(life.locator("tr.changed")).to_have_text(["Status Pending Payment Pending"], use_inner_text=True)
    life.get_by_role("link", name="after").click()
    expect(life.locator("tr.changed")).to_have_count(2)
    expect(slider).to_have_value("3")
    expect(desk).to_have_url(re.compile(r"version=3$"))


def test_a_slider_moved_before_its_script_has_arrived_is_followed(desk: Page, buyer: Client) -> None:
    number = buyer.place({MUG: 2})
    buyer.order_once(number, "confirmed")
    held: list[Route] = []
    desk.route("**/time_slider*.js", lambda route: held.append(route))

    desk.goto(f"/admin/ordering/order/{number}/life/", wait_until="commit")
    desk.get_by_label("Event").press("Home")
    life = desk.locator("#life")
    expect(life).to_contain_text("3 of 3: Order confirmed")
    while not held:
        desk.wait_for_timeout(10)
    held[0].continue_()
    expect(life).to_contain_text("1 of 3: Order placed")


def test_an_operator_cancels_an_order(desk: Page, buyer: Client) -> None:
    number = buyer.place({MUG: 1})
    buyer.order_once(number, "confirmed")

    find(desk, "ordering/order", number)
    act(desk, "Cancel (as operator) …")
    desk.get_by_label("Note").fill("They rang us up.")
    desk.get_by_role("button", name="Cancel").click()
    expect(desk.locator(".messagelist")).to_contain_text(f"Order {number}: fulfillment is asked to stop its shipment")

    order = buyer.order_once(number, "cancelled")
    assert order["cancellation_reason"] == "by_operator"
    find(desk, "ordering/order", number)
    expect(desk.locator("#result_list .field-status")).to_have_text("Cancelled")


def test_an_operator_dispatches_a_shipment_and_notes_its_delivery(desk: Page, buyer: Client) -> None:
    number = buyer.place({MUG: 1})
    buyer.order_once(number, "confirmed")

    find(desk, "fulfillment/shipment", number)
    act(desk, "Dispatch …")
    desk.get_by_label("Carrier").fill("Pigeon Post")
    desk.locator("input[name^='each:']").fill("PP-7")
    desk.get_by_role("button", name="Dispatch").click()
    expect(desk.locator(".messagelist")).to_contain_text("is dispatched with Pigeon Post")
    assert [sent["tracking_number"] for sent in buyer.order_once(number, "shipped")["shipments"]] == ["PP-7"]

    find(desk, "fulfillment/shipment", "PP-7")
    act(desk, "Deliver")
    expect(desk.locator(".messagelist")).to_contain_text("is delivered")
    buyer.order_once(number, "delivered")
