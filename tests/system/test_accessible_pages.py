"""Every page of the admin, in Chromium: accessible in both themes, on a desk and on a phone, and from this host only.

axe finds the mistakes. Each page is loaded once; then only the theme and the width change, because they change no text.
"""

import json
import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from django.contrib import admin
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page, ViewportSize, sync_playwright
from running_system import System

from tests.browser import launch
from tests.once import embedded_only

pytestmark = [pytest.mark.system, pytest.mark.browser, embedded_only]

DESK, PHONE = ViewportSize(width=1400, height=900), ViewportSize(width=400, height=800)
GRAVE = {"serious", "critical"}
LOOKS: list[tuple[str, ViewportSize, list[str] | None]] = [
    ("light", DESK, None),
    ("dark", PHONE, ["color-contrast", "scrollable-region-focusable", "target-size"]),
]
"""The theme, the size and the rules of axe; None for all rules. `ACCESSIBLE=all` looks at both sizes in both themes."""
if os.environ.get("ACCESSIBLE") == "all":
    LOOKS += [("dark", DESK, ["color-contrast"]), ("light", PHONE, ["scrollable-region-focusable", "target-size"])]
SIDEBAR = [["#nav-sidebar"]]
MUG = "MUG-ENAMEL-BLUE"
OTHER_PAGES = ["/admin/", "/admin/password_change/", "/admin/integration/message/events/"]
LISTS = sorted(
    reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") for model in admin.site._registry
)
CHECK = """async ([rules, without]) => {
  const options = {resultTypes: ["violations"], preload: false};
  if (rules) options.runOnly = {type: "rule", values: rules};
  const found = await axe.run({exclude: without}, options);
  return found.violations.map(({id, impact, nodes}) => ({id, impact, where: nodes.map(node => node.target.join(" "))}));
}"""
TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return "";
  const all = [...document.querySelectorAll("#container *")];
  const range = document.createRange();
  const end = each => { range.selectNodeContents(each); return range.getBoundingClientRect().right; };
  const wide = all.filter(each => Math.max(each.getBoundingClientRect().right, end(each)) > width);
  return wide.slice(-3).map(each => each.outerHTML.slice(0, 100)).join(" | ") || "the page";
}"""


@pytest.fixture(scope="module")
def window(system: System) -> Iterator[BrowserContext]:
    """A window in which an operator is logged in to a shop with an order on its way."""
    number = system.visitor.log_in("buyer", "buyer").place({MUG: 2})
    operator = system.visitor.log_in("operator", "operator")
    operator.order_once(number, "confirmed")
    operator.shipment_of(number)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        window = browser.new_context(base_url=f"http://127.0.0.1:{system.port}", viewport=DESK)
        window.set_default_timeout(30_000)
        window.add_init_script(path=AXE_FILE_PATH)
        requested: list[str] = []
        window.on("request", lambda request: requested.append(request.url))
        said: list[str] = []
        window.on("console", lambda message: said.append(message.text))
        page = window.new_page()
        page.goto("/admin/login/")
        assert _mistakes(page) == []
        page.get_by_label("Username").fill("operator")
        page.get_by_label("Password").fill("operator")
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url("**/admin/")
        page.close()
        yield window
        browser.close()
    assert [text for text in said if "Content Security Policy" in text] == []
    hosts = {urlsplit(url).netloc for url in requested if not url.startswith(("data:", "blob:"))}
    assert hosts == {f"127.0.0.1:{system.port}"}


def _mistakes(page: Page, is_seen: bool = True) -> list[str]:
    """What axe finds that is serious or critical in each of `LOOKS`, and what does not fit.

    Args:
        is_seen: whether the sidebar was checked on another page.
    """
    found: list[str] = []
    for scheme, size, rules in LOOKS:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        page.set_viewport_size(size)
        seen = [each for each in page.evaluate(CHECK, [rules, SIDEBAR if is_seen else []]) if each["impact"] in GRAVE]
        found += [f"{scheme} {size['width']}: {json.dumps(each)[:400]}" for each in seen]
        if too_wide := page.evaluate(TOO_WIDE):
            found.append(f"{scheme} {size['width']}: too wide: {too_wide}")
    page.set_viewport_size(DESK)
    return found


@pytest.mark.parametrize("part", range(4))
def test_every_page_is_accessible(window: BrowserContext, subtests: pytest.Subtests, part: int) -> None:
    page = window.new_page()
    for path in [*OTHER_PAGES, *LISTS][part::4]:
        page.goto(path)
        with subtests.test(path):
            assert _mistakes(page, is_seen=path != "/admin/") == []
        row = page.locator("#result_list a[href*='/change/']").first
        if row.count():
            page.goto(str(row.get_attribute("href")))
            with subtests.test(urlsplit(page.url).path):
                assert _mistakes(page) == []
    page.close()


def test_axe_finds_a_planted_mistake(window: BrowserContext) -> None:
    page = window.new_page()
    page.goto("/admin/")
    page.evaluate(
        "document.querySelector('h1').insertAdjacentHTML('afterend', '<img src=\"/static/integration/icon.svg\">')"
    )

    assert any('"image-alt"' in mistake for mistake in _mistakes(page))
    page.close()
