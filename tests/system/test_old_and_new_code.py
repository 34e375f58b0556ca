"""What one version of the code stored, another handles: in real workers, before and after a deployment."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from running_system import ROOT, System, eventually

LIST_PRODUCTS = """
from integration.domain.money import Money
from ordering.commands import list_product
for sku in {skus}:
    list_product(sku, sku.title(), "", Money("12.50", "USD"))
"""

CHANGES = {
    "integration/contracts/ordering.py": [
        (
            '@contract("ordering.product-listed")\nclass ProductListed(IntegrationEvent):\n'
            '    """A product is offered for sale for the first time."""\n\n    sku: Sku\n    name: str\n',
            '@contract("ordering.product-listed", version=3)\nclass ProductListed(IntegrationEvent):\n'
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
        ("ProductListed(event.sku, event.name)", 'ProductListed(event.sku, event.name, "en")')
    ],
    "inventory/policies/saga.py": [
        ("commands.open_stock_item(event.sku)", 'commands.open_stock_item({"en": event.item}[event.language])')
    ],
}
"""How the contract becomes version 3, with what publishes it and what listens to it."""

PARKED = "Parked: ordering.product-listed is known up to version 1, and this is version 3"

pytestmark = pytest.mark.system


@pytest.fixture
def new_code(tmp_path: Path) -> Path:
    """A copy of the code in which a contract has come to version 3."""
    code = tmp_path / "code"
    code.mkdir()
    for package in ("config", "integration", *settings.CONTEXTS):
        shutil.copytree(ROOT / package, code / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "manage.py", code)
    for name, changes in CHANGES.items():
        text = (code / name).read_text()
        for before, after in changes:
            assert text.count(before) == 1, f"{name} reads differently by now: {before}"
            text = text.replace(before, after)
        (code / name).write_text(text)
    return code


def have_it_delivered(system: System) -> None:
    """Start all but the web. Beat, too: a wake-up that died with its worker silences the next ones for a moment, and
    what they were for is found by the sweep."""
    for name in system.commands:
        if name != "web":
            system.start(name)


def test_what_version_1_stored_is_handled_by_version_3_and_the_other_way_round_it_waits(
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

    # The old code tells, and all its workers end before they hear.
    system.tear_down()
    system.run(ROOT, "shell", "-c", LIST_PRODUCTS.format(skus=["NEW-1", "NEW-2", "NEW-3"]))
    assert [row[:3] for row in listed("NEW-1", "NEW-2", "NEW-3")] == [(1, "pending", 0)] * 3

    # A new worker reads what the old code told.
    system.deploy(new_code)
    have_it_delivered(system)
    eventually(stocked, lambda skus: skus == {"NEW-1", "NEW-2", "NEW-3"}, "all that version 1 told")
    eventually(
        lambda: [row[:3] for row in listed("NEW-1", "NEW-2", "NEW-3")],
        lambda rows: rows == [(1, "done", 1)] * 3,
        "three deliveries that took one attempt",
    )
    system.tear_down()

    # The new code tells, and a worker that is still old puts it off.
    system.run(new_code, "shell", "-c", LIST_PRODUCTS.format(skus=["NEW-4"]))
    system.deploy(ROOT)
    have_it_delivered(system)
    eventually(
        lambda: listed("NEW-4"),
        lambda rows: rows == [(3, "pending", 0, PARKED)],
        "a parked delivery",
    )
    system.tear_down()

    # Once it is new, too, it is handled.
    system.deploy(new_code)
    have_it_delivered(system)
    system.run(new_code, "deliveries", "replay", "--status", "pending")
    eventually(stocked, lambda skus: "NEW-4" in skus, "what version 3 told")
