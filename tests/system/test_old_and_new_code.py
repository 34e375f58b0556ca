"""Workers handle messages that another version of the code stored, before and after a deployment."""

from collections.abc import Callable
from pathlib import Path

import pytest
from running_system import ROOT, System, eventually

from tests.upgrades.old_code import changed

LIST_PRODUCTS = """
from integration.domain.money import Money
from ordering.commands import list_product
for sku in {skus}:
    list_product(sku, sku.title(), "", Money("12.50", "USD"))
"""

CHANGES = {
    "integration/contracts/ordering.py": [
        (
            '@contract("ordering.product-listed")\nclass ProductListed(IntegrationEvent, kw_only=True):\n'
            '    """A product is offered for sale for the first time."""\n\n    sku: Sku\n    name: str\n',
            '@contract("ordering.product-listed", version=3)\nclass ProductListed(IntegrationEvent, kw_only=True):\n'
            '    """A product is offered for sale for the first time."""\n\n    item: Sku\n    name: str\n'
            "    language: str\n\n\n"
            "@upcast(ProductListed, from_version=1)\ndef a_sku_is_an_item(data):\n"
            '    return {"item": data["sku"], "name": data["name"]}\n\n\n'
            "@upcast(ProductListed, from_version=2)\ndef all_names_were_english(data):\n"
            '    return {**data, "language": "en"}\n',
        ),
        (
            "from integration.domain.money import",
            "from integration.domain.versions import upcast\nfrom integration.domain.money import",
        ),
    ],
    "ordering/policies/saga.py": [
        (
            "ProductListed(sku=event.sku, name=event.name)",
            'ProductListed(item=event.sku, name=event.name, language="en")',
        )
    ],
    "inventory/policies/saga.py": [
        ("commands.open_stock_item(event.sku)", 'commands.open_stock_item({"en": event.item}[event.language])'),
        ("{event.sku for event in listed}", "{event.item for event in listed}"),
    ],
}
"""The changes that make the contract version 3, in the contract, its publisher and its consumer."""

PARKED = "Parked: ordering.product-listed is known up to version 1, and this is version 3"

pytestmark = pytest.mark.system


@pytest.fixture
def new_code(tmp_path: Path) -> Path:
    """A copy of the code in which a contract is at version 3."""
    return changed(tmp_path / "code", CHANGES)


def start_workers(system: System) -> None:
    """Start all processes but the web.

    Beat is needed as well: the key of a wake-up that was lost with its worker suppresses the next wake-ups until it
    expires, and the sweep finds their deliveries.
    """
    for name in system.commands:
        if name != "web":
            system.start(name)


def test_version_3_handles_what_version_1_stored_and_version_1_parks_what_version_3_stored(
    system_to_break: Callable[..., System], new_code: Path
) -> None:
    system = system_to_break()

    def listed(*skus: str) -> list[tuple[int, str, int, str]]:
        rows = system.read(
            "SELECT m.version, d.status, d.attempts, d.error FROM integration_message AS m "
            "JOIN integration_delivery AS d ON d.message_id = m.id "
            "WHERE m.name = 'ordering.product-listed' ORDER BY m.id"
        )
        return [tuple(row) for row in rows[-len(skus) :]]

    def stocked() -> set[str]:
        return {sku for (sku,) in system.read("SELECT sku FROM inventory_stockitem WHERE sku LIKE 'NEW-%'")}

    # The old code publishes, and its workers are killed before they consume.
    system.tear_down()
    system.run(ROOT, "shell", "-c", LIST_PRODUCTS.format(skus=["NEW-1", "NEW-2", "NEW-3"]))
    assert [row[:3] for row in listed("NEW-1", "NEW-2", "NEW-3")] == [(1, "pending", 0)] * 3

    # A new worker consumes what the old code published.
    system.deploy(new_code)
    start_workers(system)
    eventually(stocked, lambda skus: skus == {"NEW-1", "NEW-2", "NEW-3"}, "all products that version 1 published")
    eventually(
        lambda: [row[:3] for row in listed("NEW-1", "NEW-2", "NEW-3")],
        lambda rows: rows == [(1, "done", 1)] * 3,
        "three deliveries that took one attempt",
    )
    system.tear_down()

    # The new code publishes, and an old worker parks the delivery.
    system.run(new_code, "shell", "-c", LIST_PRODUCTS.format(skus=["NEW-4"]))
    system.deploy(ROOT)
    start_workers(system)
    eventually(
        lambda: listed("NEW-4"),
        lambda rows: rows == [(3, "pending", 0, PARKED)],
        "a parked delivery",
    )
    system.tear_down()

    # A new worker looks at what is parked, and handles what it knows.
    system.deploy(new_code)
    start_workers(system)
    eventually(stocked, lambda skus: "NEW-4" in skus, "the product that version 3 published")
