"""The deployment of docs/operations.md, walked while orders flow: no request fails, and no order is lost."""

import os
from pathlib import Path

import pytest
from django.conf import settings

from tests.chaos.outages.upgrades import ROWS, live_through_all

ORDERS = 60
"""How many orders are placed; `python -m tests.chaos outages` places more."""

pytestmark = [
    pytest.mark.system,
    pytest.mark.clone,
    pytest.mark.skipif(settings.EMBEDDED, reason="in embedded mode there is one process, which stops for a deployment"),
]


@pytest.mark.parametrize("name", ROWS)
def test_a_deployment_breaks_nothing(name: str, tmp_path: Path) -> None:
    server, _, database = os.environ["DATABASE_URL"].rpartition("/")
    # .ci/run drops databases with such names, in case the test is killed.
    report = live_through_all(
        tmp_path, server, os.environ["CELERY_BROKER_URL"], ORDERS, name, f"test_{database}_gw_{os.getpid()}"
    )
    assert report[name]["violations"] == []
    assert report[name]["n"] >= ORDERS
