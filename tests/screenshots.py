"""Takes the screenshots of the docs from demo shops: `python -m tests.screenshots` writes them to docs/pictures/."""

import os
import subprocess
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser import launch
from tests.system.running_system import MANAGE, ROOT, Client, System, free_port

PICTURES = ROOT / "docs" / "pictures"
WIDTH, HEIGHT = 1280, 900
GUIDE = {
    "operators-home": "/admin/",
    "operators-order": "/admin/ordering/order/{order}/change/",
    "operators-parcels": "/admin/fulfillment/shipment/?status__exact=arranged",
    "operators-money": "/admin/billing/refund/",
    "operators-dead-letters": "/admin/integration/delivery/?status__exact=dead",
}
"""The pictures of the operators' guide, and the pages they show."""


def main() -> None:
    """Start a demo shop, take an order to its delivery, and take a screenshot of its story page."""
    with tempfile.TemporaryDirectory(prefix="waybill-screenshots-") as folder:
        system = _demo_shop(Path(folder))
        try:
            system.open()
            order, story = _delivered_order(system)
            with sync_playwright() as playwright:
                browser = launch(playwright)
                page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
                _log_in(page, system)
                page.goto(f"http://127.0.0.1:{system.port}/admin/integration/message/story/{story}/")
                page.get_by_text(order).first.wait_for()
                page.screenshot(path=PICTURES / "story.png")
                system.run(ROOT, "demo", "--seed", "7")
                for name, path in GUIDE.items():
                    page.goto(f"http://127.0.0.1:{system.port}{path.format(order=order)}")
                    page.screenshot(path=PICTURES / f"{name}.png")
                browser.close()
        finally:
            system.tear_down()
    print(f"{PICTURES.relative_to(ROOT) / 'story.png'} shows the story of {order}")


def _log_in(page: Page, system: System) -> None:
    page.goto(f"http://127.0.0.1:{system.port}/admin/")
    page.get_by_label("Username").fill("operator")
    page.get_by_label("Password").fill("operator")
    page.get_by_role("button", name="Log in").click()


def _demo_shop(folder: Path) -> System:
    """Return an embedded shop with the demo's goods and users, and data of its own in the folder."""
    environment = {
        **{name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "CELERY_BROKER_URL")},
        "PYTHONPATH": str(ROOT),
        "WAYBILL_VAR": str(folder),
        "DATABASE_URL": f"sqlite:///{folder / 'waybill.sqlite3'}",
    }
    for command in (["migrate", "--verbosity", "0"], ["demo_shop", "--force"]):
        subprocess.run([*MANAGE, *command], cwd=folder, env=environment, check=True)
    port = free_port()
    return System(folder, environment, {"serve": [*MANAGE, "serve", "--port", str(port)]}, port)


def _delivered_order(system: System) -> tuple[str, str]:
    """Take an order to its delivery; returns its number, and the correlation ID of its story."""
    buyer, operator = (system.visitor.log_in(name, name) for name in ("buyer", "operator"))
    order = buyer.place({"MUG-ENAMEL-BLUE": 2})
    buyer.order_once(order, "confirmed")
    _ship(operator, order)
    buyer.order_once(order, "delivered")
    return order, buyer.get(f"/orders/{order}").headers["X-Correlation-Id"]


def _ship(operator: Client, order: str) -> None:
    shipment = operator.shipment_of(order)["id"]
    operator.post(f"/shipments/{shipment}/dispatch", {"carrier": "DHL", "tracking_number": "JD014600003"})
    operator.post(f"/shipments/{shipment}/deliver", {})


if __name__ == "__main__":
    main()
