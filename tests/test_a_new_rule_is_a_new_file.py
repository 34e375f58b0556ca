"""A reaction to an existing event is one new file: no other file changes, and nothing is registered by hand."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from django.conf import settings

ROOT = Path(__file__).resolve().parents[1]

NEW_RULE = '''
"""Log every delivered order."""

import logging

from integration.policies import whenever
from ordering import events

log = logging.getLogger(__name__)


@whenever(events.OrderDelivered)
def log_delivery(event: events.OrderDelivered) -> None:
    log.info("order %s was delivered with %s", event.order, event.shipment)
'''

AN_ORDER_FROM_PLACING_TO_DELIVERY = """
import django

django.setup()

from django.core.management import call_command

from fulfillment.commands import deliver_shipment, dispatch_shipment, shipment_of
from integration.domain.address import Address
from integration.domain.money import Money
from integration.messaging.claim import due_delivery_queues
from integration.messaging.deliver import deliver_due
from inventory.commands import stock_up
from ordering.commands import list_product, place_order
from ordering.queries import order


def deliver_all():
    while delivery_queues := due_delivery_queues():
        for delivery_queue in delivery_queues:
            deliver_due(delivery_queue)


call_command("migrate", verbosity=0)
list_product("MUG", "Mug", "", Money("12.50", "USD"))
stock_up([("MUG", 3)])
deliver_all()
number = place_order("B-1", [("MUG", 2)], Address("Ada", "1 Row", "London", "W1", "GB"), "pm_card_visa").number
deliver_all()
dispatch_shipment(shipment_of(number), "Pigeon Post", "PP-1")
deliver_shipment(shipment_of(number))
deliver_all()
print(number, order(number).status)
"""


def test_logging_every_delivered_order_takes_one_new_file(tmp_path: Path) -> None:
    system = tmp_path / "running_system"
    for package in ("config", "integration", *settings.CONTEXTS):
        shutil.copytree(ROOT / package, system / package, ignore=shutil.ignore_patterns("__pycache__"))
    (system / "ordering" / "policies" / "log_deliveries.py").write_text(NEW_RULE)

    done = subprocess.run(
        [sys.executable, "-c", AN_ORDER_FROM_PLACING_TO_DELIVERY],
        cwd=system,
        env={
            **os.environ,
            "CELERY_BROKER_URL": "memory://",
            "DATABASE_URL": f"sqlite:///{tmp_path / 'waybill.sqlite3'}",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "LOG_LEVEL": "INFO",
            "WAYBILL_VAR": str(tmp_path / "var"),
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "R-1001 delivered\n"
    logged = [line for line in done.stderr.splitlines() if "ordering.policies.log_deliveries" in line]
    said = [line.rpartition(": ")[2].partition(" actor=")[0] for line in logged]  # who and which story come after it
    assert said == ["order R-1001 was delivered with S-1001-1"]
